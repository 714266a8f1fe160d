"""Golden cases of preprocessing from scikit-image and photutils.

Run: python tests/golden/make_bands.py   (needs torch, numpy < 2, scikit-image, astropy < 7, photutils < 2.2, safetensors)
"""
import numpy as np
import photutils
import skimage
import torch
from astropy.stats import SigmaClip
from photutils.aperture import CircularAperture, aperture_photometry
from photutils.background import Background2D, BkgZoomInterpolator, SExtractorBackground, StdBackgroundRMS
from skimage.feature import hog

from case import numbers, save

SKIMAGE, PHOTUTILS = f"scikit-image {skimage.__version__}", f"photutils {photutils.__version__}"


def hog_case(name, image, orientations, cell, block, norm, root=False):
    features = hog(image.double().numpy(), orientations, cell, block, norm, transform_sqrt=root,
                   channel_axis=2 if image.dim() == 3 else None)
    attrs = {"orientations": orientations, "pixels_per_cell": cell, "cells_per_block": block, "block_norm": norm,
             "transform_sqrt": root}
    save(name, "hog", attrs, {"image": image}, {"features": torch.from_numpy(features)}, rtol=1e-6, source=SKIMAGE)


levels = torch.floor(numbers(1, 26, 33, low=0, high=4))  # few levels: gradients of 0, 45, 90 and 135 degrees
hog_case("hog_ties_8", levels, 8, [8, 8], [3, 3], "L2-Hys")
hog_case("hog_ties_28", levels, 28, [5, 4], [1, 2], "L1")
hog_case("hog_ties_channels", torch.floor(numbers(2, 12, 17, 3, low=0, high=3)), 4, [4, 5], [2, 1], "L1-sqrt")
hog_case("hog_seven_bands", numbers(3, 21, 16, 7, low=0, high=1), 9, [7, 5], [2, 2], "L2", True)
hog_case("hog_one_bin", numbers(4, 9, 10), 1, [3, 10], [1, 1], "L1")
hog_case("hog_flat", torch.full((16, 16), 0.3), 9, [8, 8], [2, 2], "L2-Hys")
hog_case("hog_faint", 1e-5 * numbers(5, 16, 19), 6, [4, 4], [2, 2], "L2-Hys")  # the constant of the norm decides
hog_case("hog_one_column", numbers(6, 8, 1), 9, [4, 1], [2, 1], "L2")


def photometry_case(name, image, positions, radius):
    table = aperture_photometry(image.double().numpy(), CircularAperture(positions.double().numpy(), r=radius), method="exact")
    save(name, "photometry_aperture", {"r": radius, "method": "exact"}, {"image": image, "positions": positions},
         {"flux": torch.from_numpy(np.asarray(table["aperture_sum"], dtype=float))}, rtol=1e-6, source=PHOTUTILS)


sky = numbers(7, 13, 11, low=-1, high=5)
places = torch.tensor([[5.0, 6.0], [0.2, 0.4], [9.9, 12.3], [4.5, 6.5], [3.3, 2.7]])
photometry_case("photometry_aperture_inside_a_pixel", sky, places, 0.3)
photometry_case("photometry_aperture_half_pixels", sky, places, 2.5)
photometry_case("photometry_aperture_larger_than_the_image", sky, places, 9.7)

y, x = np.mgrid[:48, :60]
field = 3 + 0.02 * x - 0.01 * y + numbers(8, 48, 60).double().numpy()
for cx, cy, light in ((10, 12, 60), (41, 30, 200), (42, 8, 30)):
    field = field + light * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 8)
field = torch.from_numpy(field).float()
mask = torch.zeros(48, 60, dtype=torch.int64)
mask[24:36, 36:46] = 1  # a sixth of that box is left
wide = Background2D(field.double().numpy(), (12, 12), mask=mask.numpy().astype(bool), filter_size=3, exclude_percentile=90,
                    sigma_clip=SigmaClip(sigma=3, maxiters=10), bkg_estimator=SExtractorBackground(sigma_clip=None),
                    bkgrms_estimator=StdBackgroundRMS(sigma_clip=None),
                    interpolator=BkgZoomInterpolator(order=1))
save("background_mesh_sources", "background_mesh", {"box": [12, 12], "filter": 3}, {"image": field, "mask": mask},
     {"level": torch.from_numpy(wide.background), "rms": torch.from_numpy(wide.background_rms)}, rtol=1e-6, source=PHOTUTILS)
