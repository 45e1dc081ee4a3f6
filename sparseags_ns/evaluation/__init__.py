"""Results against the truth: refined cameras against true ones, the splat against held-out photographs.

cameras   cameras in files, matched by the photographs' names: pose errors, focal lengths
held_out  the held-out photographs of a scene, and renders of the splat from their true cameras
"""
