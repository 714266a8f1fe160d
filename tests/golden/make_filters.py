"""Golden cases of non-local means and wavelet shrinkage from scikit-image.

Run: python tests/golden/make_filters.py   (needs torch, numpy, scikit-image, PyWavelets, safetensors)
"""
import numpy as np
import skimage
import torch
from skimage.restoration import cycle_spin, denoise_nl_means, denoise_wavelet

from case import numbers, save

SOURCE = f"scikit-image {skimage.__version__}"


def blob(seed, height, width, channels=0):
    """A bright spot off the middle with noise, float32."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    image = torch.exp(-((y - 0.6 * height) ** 2 + (x - 0.4 * width) ** 2) / 20.0)
    if channels:
        image = image[..., None] * (1 - 0.3 * torch.arange(channels))
    return (image + 0.3 * numbers(seed, *image.shape)).float()


def axis(image):
    return -1 if image.dim() == 3 else None


# Their exponential is an approximation that is wrong by up to 4 %, and weights below e^-5 are dropped: with relative
# errors of up to 0.05 a mean of pixels that scatter by 0.2 around it is wrong by up to 0.05 * 0.2 = 0.01.
for name, image, patch, distance, h, sigma in (("grey", blob(1, 13, 17), 5, 4, 0.12, 0.17), ("colour", blob(2, 12, 9, 3), 3, 3, 0.2, 0.0),
                                               ("wide", blob(3, 11, 11), 7, 20, 0.3, 0.1)):
    wide = image.double().numpy()
    result = denoise_nl_means(wide, patch, distance, h, fast_mode=False, sigma=sigma, preserve_range=True, channel_axis=axis(image))
    save(f"non_local_means_{name}", "non_local_means", {"patch_size": patch, "patch_distance": distance, "h": h, "sigma": sigma},
         {"image": image}, {"y": torch.from_numpy(result)}, rtol=0, atol=1e-2, source=SOURCE)


def shrink(image, sigma, levels):
    return denoise_wavelet(image, sigma, "db1", "soft", levels, channel_axis=-1 if image.ndim == 3 else None, method="BayesShrink", rescale_sigma=False)


for name, image, sigma, levels, shifts in (("even", blob(4, 16, 32), None, None, 0), ("odd", blob(5, 13, 11), 0.17, 3, 0),
                                           ("colour", blob(6, 16, 12, 3), None, 2, 0), ("shifts", blob(7, 17, 14), 0.2, 2, 2)):
    wide = image.double().numpy()
    options = {"sigma": sigma, "levels": levels}
    result = cycle_spin(wide, shrink, shifts, func_kw=options, workers=1, channel_axis=axis(image)) if shifts else shrink(wide, **options)
    attrs = {"max_shifts": shifts} | ({"sigma": sigma} if sigma else {}) | ({"wavelet_levels": levels} if levels else {})
    save(f"wavelet_filter_{name}", "wavelet_filter", attrs, {"image": image}, {"y": torch.from_numpy(np.ascontiguousarray(result))}, rtol=1e-6,
         source=SOURCE)
