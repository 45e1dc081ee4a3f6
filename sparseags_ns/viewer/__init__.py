"""The web viewer, under ns-train, ns-viewer and `sparseags view` alike: what the panel shows, what the scene shows, and
how viewer and training share a machine.

What is shown is computed by pure functions (state, markup, pictures, pacing); `panel`, `scene` and `control` hand it to
viser. nerfstudio's viewer world is ten times the run's.
"""
