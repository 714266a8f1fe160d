"""Golden cases of neighbours, HDBSCAN, silhouettes, k-means and the divergence of t-SNE, from scikit-learn and openTSNE.

Run: python tests/golden/make_clusters.py   (needs torch, numpy < 2, scikit-learn, openTSNE, safetensors)
A case of HDBSCAN is only comparable where its labels are unique: a row that is equally far from two clusters, by the
mutual reachability distance, joins the one that an unstable sort takes first. So each case is the first of its seeds for
which scikit-learn finds the same clusters in five orders of the rows.
"""
import numpy as np
import openTSNE
import scipy.sparse
import sklearn
import torch
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.metrics import silhouette_score
from sklearn.neighbors import NearestNeighbors

from case import numbers, save

SKLEARN, OPENTSNE = f"scikit-learn {sklearn.__version__}", f"openTSNE {openTSNE.__version__}"


def blobs(seed, rows, columns, clusters, spread=0.12):
    """Round clusters of several widths, and a tenth of rows anywhere; float32."""
    generator = torch.Generator().manual_seed(seed)
    centres = numbers(seed + 1, clusters, columns, low=-2, high=2)
    which = torch.randint(clusters, (rows,), generator=generator)
    width = spread * (0.5 + which.float() / clusters)
    x = centres[which] + width[:, None] * torch.randn((rows, columns), generator=generator)
    return torch.where(torch.rand((rows, 1), generator=generator) < 0.1, numbers(seed + 2, rows, columns, low=-3, high=3), x)


def neighbours(name, x, k, queries=None):
    table = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(x.double().numpy())
    distance, index = table.kneighbors(None if queries is None else queries.double().numpy())
    inputs = {"points": x} | ({} if queries is None else {"queries": queries})
    save(name, "nearest_neighbours", {"k": k}, inputs, {"index": torch.from_numpy(index), "distance": torch.from_numpy(distance)},
         rtol=1e-6, atol=0, source=SKLEARN)


neighbours("nearest_neighbours_plane", blobs(201, 307, 2, 5), 7)
neighbours("nearest_neighbours_many_columns", blobs(211, 131, 53, 3), 11)  # by products
neighbours("nearest_neighbours_queries", blobs(221, 203, 5, 4), 203, numbers(224, 17, 5, low=-3, high=3))


def same_clusters(a, b):
    pairs = set(zip(a.tolist(), b.tolist()))
    return len(pairs) == len({p for p, _ in pairs}) == len({q for _, q in pairs}) and all((p < 0) == (q < 0) for p, q in pairs)


def hdbscan(name, seed, rows, columns, clusters, size, samples, selection="eom", epsilon=0.0, spread=0.12):
    x = blobs(seed, rows, columns, clusters, spread)
    wide = x.double().numpy()

    def fit(order):
        found = HDBSCAN(min_cluster_size=size, min_samples=samples, cluster_selection_method=selection,
                        cluster_selection_epsilon=epsilon, copy=True).fit(wide[order])
        labels, probabilities = np.empty(rows, dtype=np.int64), np.empty(rows)
        labels[order], probabilities[order] = found.labels_, found.probabilities_
        return labels, probabilities

    labels, probabilities = fit(np.arange(rows))
    again = [fit(np.random.default_rng(s).permutation(rows)) for s in range(5)]
    if not all(same_clusters(labels, l) and np.allclose(probabilities, p, rtol=1e-12) for l, p in again):
        return hdbscan(name, seed + 1000, rows, columns, clusters, size, samples, selection, epsilon, spread)
    attrs = {"min_cluster_size": size, "min_samples": samples, "metric": "euclidean", "cluster_selection_method": selection,
             "cluster_selection_epsilon": epsilon}
    print(name, "seed", seed, "clusters", labels.max() + 1, "noise", (labels < 0).sum())
    save(name, "hdbscan", attrs, {"points": x}, {"labels": torch.from_numpy(labels), "probabilities": torch.from_numpy(probabilities)},
         rtol=1e-9, atol=0, source=SKLEARN)  # weights are float64 from float32 points: 2^-53 x few; 1e-9 leaves no doubt
    return x, torch.from_numpy(labels)


x, labels = hdbscan("hdbscan_mass", 301, 401, 2, 6, 12, 4)
hdbscan("hdbscan_leaf", 311, 397, 3, 5, 9, 3, selection="leaf")
hdbscan("hdbscan_epsilon", 321, 367, 2, 7, 8, 3, selection="leaf", epsilon=0.15)
hdbscan("hdbscan_epsilon_mass", 331, 353, 2, 7, 7, 2, epsilon=0.2)
hdbscan("hdbscan_single_linkage", 341, 311, 4, 4, 6, 1)

score = silhouette_score(x.double().numpy()[labels >= 0], labels.numpy()[labels >= 0])
save("silhouette_noise", "silhouette", {"metric": "euclidean"}, {"points": x, "labels": labels},
     {"value": torch.tensor([score], dtype=torch.double)}, rtol=1e-6, atol=0, source=f"{SKLEARN}, of the rows that are not noise")
x5 = blobs(401, 233, 5, 4)
start = x5[:4].clone()
fit = KMeans(4, init=start.double().numpy(), n_init=1, tol=0, max_iter=300, algorithm="lloyd").fit(x5.double().numpy())
save("kmeans_lloyd", "kmeans", {}, {"points": x5, "centres": start},
     {"labels": torch.from_numpy(fit.labels_.astype(np.int64)), "centres": torch.from_numpy(fit.cluster_centers_),
      "inertia": torch.tensor([fit.inertia_], dtype=torch.double)}, rtol=1e-12, atol=0, source=SKLEARN)


def divergence(name, x, y, perplexity):
    """KL and gradient by all pairs in float64, from openTSNE's affinities."""
    p = openTSNE.affinity.PerplexityBasedNN(x.double().numpy(), perplexity=perplexity, method="exact", symmetrize=True).P
    p, y64 = scipy.sparse.csr_matrix(p).toarray(), y.double().numpy()
    between = y64[:, None] - y64[None]
    w = 1 / (1 + (between**2).sum(-1))
    np.fill_diagonal(w, 0)
    q = w / w.sum()
    value = (p[p > 0] * np.log(p[p > 0] / q[p > 0])).sum()
    gradient = 4 * ((p - q) * w)[:, :, None] * between
    save(name, "tsne_divergence", {"perplexity": perplexity}, {"x": x, "y": y},
         {"value": torch.tensor([value], dtype=torch.double), "gradient": torch.from_numpy(gradient.sum(1))},
         rtol=1e-5, atol=0, source=f"affinities of {OPENTSNE}")  # the entropy is met to 1e-6, times a few in p


divergence("tsne_divergence_small", blobs(501, 151, 6, 4, spread=0.4), numbers(503, 151, 2, low=-4, high=4), 12)
divergence("tsne_divergence_plane", blobs(511, 307, 2, 5, spread=0.4), numbers(513, 307, 2, low=-20, high=20), 30)
