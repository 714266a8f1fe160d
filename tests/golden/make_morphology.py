"""Golden cases of the shapes of galaxies from statmorph, and of Sersic fits from astropy's profile and scipy's least squares.

Run: python tests/golden/make_morphology.py   (needs torch, numpy < 2, scipy, astropy < 7, photutils, statmorph, safetensors)
"""
import astropy
import numpy as np
import scipy.optimize
import scipy.signal
import scipy.special
import statmorph
import torch
from astropy.modeling.models import Sersic2D

from case import save


def galaxy(size, parts, oversample=5):
    """The sum of Sersic profiles (amplitude, r_eff, n, x0, y0, q, theta), means over fine grids in each pixel."""
    offsets = (np.arange(oversample) + 0.5) / oversample - 0.5
    y, x = np.meshgrid((np.arange(size)[:, None] + offsets).ravel(), (np.arange(size)[:, None] + offsets).ravel(), indexing="ij")
    fine = sum(Sersic2D(a, r, n, x0, y0, 1 - q, theta)(x, y) for a, r, n, x0, y0, q, theta in parts)
    return fine.reshape(size, oversample, size, oversample).mean((1, 3)).astype(np.float32)


def morphology(name, image, threshold, mask):
    segment = ((image > threshold) & ~mask).astype(int)
    m = statmorph.SourceMorphology(image, segment, 1, mask=mask, gain=1000.0, cutout_extent=100, n_sigma_outlier=-1,
                                   skybox_size=8)
    assert 3 <= 0.25 * m.rpetro_circ < 4, "the boxes of both must have 3 pixels"
    names = {"x": "xc_centroid", "y": "yc_centroid", "ellipticity": "ellipticity_asymmetry", "theta": "orientation_asymmetry",
             "r_petro": "rpetro_circ", "a_petro": "rpetro_ellip", "r20": "r20", "r50": "r50", "r80": "r80",
             "concentration": "concentration", "asymmetry": "asymmetry", "smoothness": "smoothness", "gini": "gini", "m20": "m20"}
    outputs = {ours: torch.tensor([float(getattr(m, theirs))], dtype=torch.double) for ours, theirs in names.items()}
    save(name, "morphology", {}, {"image": torch.from_numpy(image), "segment": torch.from_numpy(segment.astype(np.float32)),
                                  "mask": torch.from_numpy(mask.astype(np.float32))}, outputs,
         rtol=6e-3, atol=1e-3,  # of some 500 pixels of Gini one more or less at the threshold
         source=f"statmorph {statmorph.__version__}")
    print(name, {key: round(value.item(), 4) for key, value in outputs.items()}, m.flag)


size = 128
nothing = np.zeros((size, size), bool)
disk = (1.0, 8.5, 0.9, 63.3, 64.1, 0.6, 0.7)
morphology("morphology_disk_with_clumps",
           galaxy(size, [disk, (4.0, 1.8, 0.5, 70.2, 68.4, 1.0, 0.0), (2.0, 1.6, 0.5, 57.1, 59.2, 0.8, 0.3)]), 0.02, nothing)
neighbour = nothing.copy()
neighbour[78:84, 44:50] = True
morphology("morphology_bulge_and_masked_neighbour",
           galaxy(size, [(0.6, 7.0, 1.8, 62.7, 63.9, 0.8, -0.4), (0.4, 8.0, 1.0, 63.5, 63.2, 0.5, -0.9),
                         (20.0, 1.0, 0.5, 46.5, 80.5, 1.0, 0.0)]), 0.02, neighbour)


def sersic_fit(name, side, truth, psf_fwhm, sky, sigma, seed):
    """Least squares by scipy of astropy's profile, 15 x 15 points a pixel, convolved with a Gaussian PSF; errors from its Jacobian."""
    half = 6
    grid = np.arange(-half, half + 1)
    psf = np.exp(-4 * np.log(2) * (grid[:, None] ** 2 + grid[None, :] ** 2) / psf_fwhm**2).astype(np.float32)

    def model(p):
        flux, r_eff, n, x0, y0, q, theta, level = p
        b = scipy.special.gammaincinv(2 * n, 0.5)
        amplitude = flux / (2 * np.pi * q * n * r_eff**2 * np.exp(b) * b ** (-2 * n) * scipy.special.gamma(2 * n))
        offsets = (np.arange(15) + 0.5) / 15 - 0.5
        y, x = np.meshgrid((np.arange(side)[:, None] + offsets).ravel(), (np.arange(side)[:, None] + offsets).ravel(), indexing="ij")
        fine = Sersic2D(amplitude, r_eff, n, x0, y0, 1 - q, theta)(x, y).reshape(side, 15, side, 15).mean((1, 3))
        return scipy.signal.convolve(fine, psf.astype(float) / psf.astype(float).sum(), "same") + level

    image = (model([*truth, sky]) + np.random.default_rng(seed).normal(0, sigma, (side, side))).astype(np.float32)
    fit = scipy.optimize.least_squares(lambda p: ((image - model(p)) / sigma).ravel(), [*truth, sky], x_scale=np.abs([*truth, sky]) + 0.1,
                                       xtol=1e-12, ftol=1e-14, gtol=1e-14)
    errors = np.sqrt(np.diag(np.linalg.inv(fit.jac.T @ fit.jac)))
    names = ["flux", "r_eff", "n", "x0", "y0", "q", "theta", "sky"]
    outputs = {key: torch.tensor([value]) for key, value in zip(names, fit.x)}
    outputs |= {"error_" + key: torch.tensor([value]) for key, value in zip(names, errors)}
    outputs["chi2"] = torch.tensor([2 * fit.cost], dtype=torch.double)
    # ours rests within a thirtieth of its errors, here a few per cent of the values
    save(name, "sersic_fit", {"sigma": sigma, "oversample": 15}, {"image": torch.from_numpy(image), "psf": torch.from_numpy(psf)}, outputs,
         rtol=4e-3, atol=2e-3, source=f"scipy {scipy.__version__}, astropy {astropy.__version__}")
    print(name, np.round(fit.x, 4), np.round(errors, 4), 2 * fit.cost)


sersic_fit("sersic_fit_disk", 41, [1500.0, 4.2, 1.1, 20.3, 19.6, 0.45, 0.6], 2.6, 0.4, 1.0, 3)
sersic_fit("sersic_fit_bulge", 40, [4000.0, 3.0, 3.2, 19.2, 20.1, 0.7, -0.3], 2.2, 0.1, 1.0, 4)
