"""One self-contained HTML page about a run: what came out, what was decided and why, and what to trust."""
