"""Side by side with the peers: each script prints its tables and writes one JSON into `benchmarks/results/`.

    python -m benchmarks.train_step [--compile]    forward + backward against timm, nn.TransformerEncoder, transformers
    python -m benchmarks.observed                  what reading the attention costs, against output_attentions=True
    python -m benchmarks.longest [--quick]         the longest sequence that one layer can train on in a fixed memory
    python -m benchmarks.edges                     attention along edges against PyTorch Geometric and a dense mask
    python -m benchmarks.graph_layer               the graph model's layer against PyTorch Geometric, and with the links
    python -m benchmarks.hops, relations, tables   layers are hops, heads are relations, input-output tables
    python -m benchmarks.forecast [--horizon 7]    sales orders of 41 products beside simple forecasts
    python -m benchmarks.contacts [--tuning]       four ways from one alignment to contacts, on Pfam families
    python -m benchmarks.predictor [--shuffled]    the predictor across families, cross-validated, beside a CNN
    python -m benchmarks.laws                      variance and gradients at initialisation

Run from the repository's root. They take the GPU where there is one (bfloat16), else the CPU (float32), and one
thread unless told otherwise. The peers: `pip install transformers torch_geometric`.
"""
