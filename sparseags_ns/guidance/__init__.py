"""The generative prior: what a view-conditioned diffusion model thinks of a render.

It knows images and cameras, no Gaussians and no trainer. Its networks never become children of the model, so that they
enter no checkpoint. The heavy packages (diffusers, transformers) are imported when a prior is loaded.
"""
