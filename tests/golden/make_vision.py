"""Golden cases of simulation, statistics and scores from astropy, scikit-image and scikit-learn.

Run: python tests/golden/make_vision.py   (needs torch, numpy < 2, scikit-image, scikit-learn, astropy < 7, safetensors)
"""
import astropy
import numpy as np
import skimage
import sklearn
import torch
from astropy.modeling.models import Sersic2D
from astropy.stats import mad_std, sigma_clipped_stats
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from sklearn.metrics import confusion_matrix, roc_auc_score

from case import numbers, save

SKIMAGE, SKLEARN, ASTROPY = f"scikit-image {skimage.__version__}", f"scikit-learn {sklearn.__version__}", f"astropy {astropy.__version__}"


def value(number):
    return torch.tensor([float(number)], dtype=torch.double)


def quality(name, op, a, b, attrs, function, rtol):
    result = function(a.double().numpy(), b.double().numpy())
    save(name, op, attrs, {"a": a, "b": b}, {"value": value(result)}, rtol=rtol, source=SKIMAGE)


a, b = numbers(1, 13, 17, 3, low=0, high=255), numbers(2, 13, 17, 3, low=0, high=255)
quality("psnr_colour", "psnr", a, b, {"data_range": 255.0}, lambda a, b: peak_signal_noise_ratio(a, b, data_range=255.0), 1e-5)
quality("ssim_colour", "ssim", a[:11], 0.9 * a[:11] + 0.1 * b[:11], {"data_range": 255.0, "gaussian_weights": False, "win_size": 5},
        lambda a, b: structural_similarity(a, b, data_range=255.0, win_size=5, channel_axis=2), 1e-5)
near = torch.full((19, 12), 0.5)  # hardly any variance: the constants of the formula decide
quality("ssim_flat", "ssim", near, near + 1e-3 * numbers(3, 19, 12),
        {"data_range": 1.0, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False},
        lambda a, b: structural_similarity(a, b, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False), 1e-5)


def sersic(name, size, amplitude, r_eff, n, q, theta, x0, y0, oversample):
    height, width = size
    offsets = (np.arange(oversample) + 0.5) / oversample - 0.5
    y, x = np.meshgrid((np.arange(height)[:, None] + offsets).ravel(), (np.arange(width)[:, None] + offsets).ravel(), indexing="ij")
    fine = Sersic2D(amplitude, r_eff, n, x0, y0, 1 - q, theta)(x, y)
    image = fine.reshape(height, oversample, width, oversample).mean((1, 3))
    attrs = {"size": size, "amplitude": amplitude, "r_eff": r_eff, "n": n, "q": q, "theta": theta, "x0": x0, "y0": y0,
             "oversample": oversample}
    save(name, "sersic_profile", attrs, {}, {"image": torch.from_numpy(image)}, rtol=1e-5, source=ASTROPY)


sersic("sersic_profile_oversampled", [7, 12], 3.0, 2.5, 2.3, 0.35, -0.8, 5.2, 3.4, 4)
sersic("sersic_profile_round_off_image", [5, 5], 0.5, 4.0, 0.7, 1.0, 2.0, -3.0, 9.0, 1)
sersic("sersic_profile_one_pixel", [1, 1], 1.0, 0.3, 6.0, 0.9, 0.1, 0.2, 0.0, 3)

scores = torch.floor(numbers(4, 61, low=0, high=7))  # ties count half
labels = (numbers(5, 61) + 0.2 * scores > 0.5).long()
save("roc_auc_ties", "roc_auc", {}, {"scores": scores, "labels": labels}, {"value": value(roc_auc_score(labels, scores))},
     source=SKLEARN)

truth, said = torch.floor(numbers(6, 40, low=0, high=4)).long(), torch.floor(numbers(7, 40, low=0, high=3)).long()
truth[truth == 2] = 1  # a class that never occurs, and one that is never said
save("confusion_matrix_empty_class", "confusion_matrix", {"classes": 5}, {"labels": truth, "predictions": said},
     {"matrix": torch.from_numpy(confusion_matrix(truth, said, labels=range(5)))}, source=SKLEARN)

image = 5 + torch.cat([numbers(8, 11, 7), 40 * numbers(9, 2, 7)])
wide = image.double().numpy()
save("mad_sigma_outliers", "mad_sigma", {}, {"image": image}, {"value": value(mad_std(wide))}, source=ASTROPY)
for sigma, maxiters in ((2.0, 1), (1.5, 10)):
    mean, median, std = sigma_clipped_stats(wide, sigma=sigma, maxiters=maxiters)
    save(f"sigma_clipped_stats_{maxiters}", "sigma_clipped_stats", {"sigma": sigma, "maxiters": maxiters}, {"image": image},
         {"mean": value(mean), "median": value(median), "std": value(std)}, source=ASTROPY)

edges = torch.tensor([[0.0, 1, -1, 0.5], [100, -100, 1e-8, 1e4]])
save("asinh_stretch_edges", "asinh_stretch", {"a": 0.02}, {"image": edges},
     {"y": torch.asinh(edges.double() / 0.02) / np.arcsinh(1 / 0.02)}, rtol=1e-6, source=f"torch {torch.__version__}")
