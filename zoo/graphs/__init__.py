"""Supply chains: agents are tokens, layers are hops, heads are the kinds of relation."""
