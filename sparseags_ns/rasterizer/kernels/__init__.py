"""The numba kernels of the CPU back end: no torch in here, numpy arrays in and out.

Every kernel is one thread's work and releases the GIL; `rasterizer.threads` runs several at a time. Each output
element has one writer and a fixed order of summation, so results do not depend on the number of threads.

Notation, in all files: a splat is one Gaussian in one view; (u, w) are its whitened coordinates at a pixel, scaled so
that alpha = 2^(log2 opacity - u^2 - w^2); T is a pixel's transmittance; v_x is d loss / d x; F is the float type of the
arrays, so that constants do not promote float32 to float64; _U(...) is an unsigned index, which spares numba's code for
negative ones and lets LLVM vectorise the loop.
"""
