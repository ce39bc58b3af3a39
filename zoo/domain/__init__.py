"""What every domain shares: errors, records, the Lightning base classes, dataset cards."""
