"""What a training run leaves on disk: the trainer writes it, reports and later runs read it.

    runs/<name>/checkpoint.pt      ``checkpoints`` on ``torch_file``: weights and state, read without running code
    runs/<name>/best.pt            likewise, of the weights alone that were best on held-out persons
    runs/<name>/options.json       ``folder``: what the run was started with, every default resolved
    runs/<name>/provenance.json    the data it learns from, its licences, body and versions
    runs/<name>/history.jsonl      ``history``: what was measured at each logged step
    runs/<name>/snapshots/         ``snapshots``: the network's bodies for the same few persons over time
    runs/<name>/tensorboard/       ``logs``: scalars
    runs/.<name>.lock              ``lock``: one writer at a time

torch is imported by ``checkpoints``, ``torch_file`` and ``logs`` alone.
"""
