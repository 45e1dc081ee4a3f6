"""Diffusion prior: the gradient by which a view-conditioned diffusion model improves a render.

It works on images and cameras and knows no Gaussians and no trainer. Its networks never become children of the model,
so that they enter no checkpoint. The heavy packages (diffusers, transformers) are imported when a prior is loaded.
"""
