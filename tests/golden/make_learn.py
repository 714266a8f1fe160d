"""Golden cases of trees, boosting, calibration and precision-recall from scikit-learn, XGBoost and SciPy.

Run: python tests/golden/make_learn.py   (needs torch, numpy < 2, scikit-learn, xgboost, scipy, safetensors)
A tree is only comparable where its splits are unique: each data set is checked to give the same tree for every order of
the features. XGBoost's features are small integers, so that its bins hold one value each and every midpoint between two
values splits like its own thresholds. XGBoost works in float32: rtol 2e-5 is 50 rounds x 2^-24 x margins up to 5.
"""
import numpy as np
import scipy
import sklearn
import torch
import xgboost
from scipy.optimize import minimize, minimize_scalar
from sklearn.calibration import _SigmoidCalibration
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import average_precision_score
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from case import numbers, save

SKLEARN, XGBOOST, SCIPY = f"scikit-learn {sklearn.__version__}", f"xgboost {xgboost.__version__}", f"scipy {scipy.__version__}"


def table(seed, rows, columns, classes):
    """Uniform features; the class depends on a product and a sum of them, and on noise."""
    x = numbers(seed, rows, columns)
    score = 2 * x[:, 0] * x[:, 1] + x[:, 2] + 0.5 * numbers(seed + 1000, rows)
    edges = torch.quantile(score, torch.linspace(0, 1, classes + 1)[1:-1])
    return x, torch.bucketize(score, edges), score


def with_gaps(x, seed, share):
    gaps = numbers(seed, *x.shape, low=0, high=1) < share
    return torch.where(gaps, torch.tensor(float("nan")), x)


def unique_tree(make, x, y, query, weights, predict):
    """Prediction and importance, or nothing where they depend on the order in which the features are tried."""
    fits = [make(seed).fit(x.numpy(), y.numpy(), weights) for seed in range(10)]
    first = predict(fits[0], query.numpy())
    if all(np.array_equal(first, predict(fit, query.numpy())) for fit in fits):
        return torch.from_numpy(first), torch.from_numpy(fits[0].feature_importances_)


def classifier_tree(name, criterion, seed, rows, columns, classes, depth, leaf, gaps=0.0, weighted=False):
    """From the first seed in steps of 10000 whose tree is unique."""
    x, y, _ = table(seed, rows, columns, classes)
    query = numbers(seed + 1, 101, columns, low=-1.2, high=1.2)
    if gaps:
        x, query = with_gaps(x, seed + 2, gaps), with_gaps(query, seed + 3, gaps)
    inputs = {"x": x, "labels": y, "query": query}
    if weighted:
        inputs["weights"] = numbers(seed + 4, rows, low=0.1, high=3)
    make = lambda s: DecisionTreeClassifier(criterion=criterion, max_depth=depth or None, min_samples_leaf=leaf, random_state=s)
    weights = inputs["weights"].double().numpy() if weighted else None
    found = unique_tree(make, x, y, query, weights, lambda fit, q: fit.predict_proba(q))
    if not found:
        return classifier_tree(name, criterion, seed + 10000, rows, columns, classes, depth, leaf, gaps, weighted)
    p, importance = found
    save(name, "decision_tree", {"criterion": criterion, "max_depth": depth, "min_samples_leaf": leaf}, inputs,
         {"probabilities": p, "importance": importance}, rtol=2e-7, atol=0, source=SKLEARN)


classifier_tree("decision_tree_gini", "gini", 1, 211, 5, 3, 0, 5)
classifier_tree("decision_tree_entropy_weights", "entropy", 11, 307, 4, 4, 6, 7, weighted=True)
classifier_tree("decision_tree_missing", "gini", 21, 401, 3, 3, 0, 9, gaps=0.2)
classifier_tree("decision_tree_stump", "gini", 31, 67, 7, 2, 1, 1)
x, _, target = table(41, 199, 4, 2)
query = numbers(42, 53, 4)
p, importance = unique_tree(lambda s: DecisionTreeRegressor(max_depth=5, min_samples_leaf=6, random_state=s), x, target, query,
                            None, lambda fit, q: fit.predict(q))
save("regression_tree_mse", "regression_tree", {"max_depth": 5, "min_samples_leaf": 6},
     {"x": x, "targets": target, "query": query}, {"prediction": p, "importance": importance}, rtol=2e-7, atol=0, source=SKLEARN)


def boosted(name, seed, rows, classes, rounds, gaps=0.0, weighted=False, unseen=False, **parameters):
    """Loss on the training set after each round, probabilities of its items; with `unseen` the loss on other items too.

    Only nodes that hold every value of a feature have one best threshold for unseen items: within a gap rounding decides.
    """
    x, y, _ = table(seed, rows, 5, classes)
    x = torch.round(10 * x)
    if gaps:
        x = with_gaps(x, seed + 2, gaps)
    inputs = {"x": x, "labels": y}
    weights = None
    if weighted:
        inputs["weights"] = numbers(seed + 4, rows, low=0.1, high=3)
        weights = inputs["weights"].numpy()
    objective = {"objective": "binary:logistic", "eval_metric": "logloss"} if classes == 2 else {
        "objective": "multi:softprob", "eval_metric": "mlogloss", "num_class": classes}
    train = xgboost.DMatrix(x.numpy(), y.numpy(), weight=weights)
    watched = [(train, "train_loss")]
    if unseen:
        valid_x, valid_y, _ = table(seed + 1, 151, 5, classes)
        inputs |= {"valid_x": torch.round(10 * valid_x), "valid_labels": valid_y}
        watched.append((xgboost.DMatrix(inputs["valid_x"].numpy(), valid_y.numpy()), "valid_loss"))
    curves = {}
    model = xgboost.train({**parameters, **objective, "tree_method": "hist", "max_bin": 255, "base_score": 0.5, "nthread": 1},
                          train, rounds, evals=watched, evals_result=curves, verbose_eval=False)
    p = model.predict(train)
    if classes == 2:
        p = np.stack([1 - p, p], 1)
    loss = {key: torch.tensor(curves[key][objective["eval_metric"]], dtype=torch.double) for _, key in watched}
    save(name, "boosted_trees", {"rounds": rounds, **parameters}, inputs, {**loss, "probabilities": torch.from_numpy(p).double()},
         rtol=2e-5, atol=0, source=XGBOOST)


boosted("boosted_trees_binary", 51, 601, 2, 50, eta=0.3, max_depth=4, **{"lambda": 1.0, "gamma": 0.0, "min_child_weight": 1.0})
boosted("boosted_trees_softmax", 61, 503, 3, 30, weighted=True, unseen=True, eta=0.2, max_depth=3,
        **{"lambda": 2.0, "gamma": 0.3, "min_child_weight": 3.0})
boosted("boosted_trees_missing", 71, 499, 4, 25, gaps=0.15, eta=0.3, max_depth=6,
        **{"lambda": 0.5, "gamma": 0.1, "min_child_weight": 2.0})
boosted("boosted_trees_stumps", 81, 401, 2, 50, gaps=0.1, unseen=True, eta=0.5, max_depth=1,
        **{"lambda": 1.0, "gamma": 0.0, "min_child_weight": 1.0})


def scores_and_labels(seed, rows, steps=None):
    scores = numbers(seed, rows, low=-3, high=3)
    if steps:
        scores = torch.round(scores * steps) / steps
    labels = (scores + 4 * numbers(seed + 1, rows) > 0.7).long()
    return scores, labels, numbers(seed + 2, rows, low=0.2, high=2), numbers(seed + 3, 41, low=-4, high=4)


def sigmoid(name, seed, rows, weighted):
    scores, labels, weights, query = scores_and_labels(seed, rows)
    s, y, w = scores.double().numpy(), labels.numpy(), weights.double().numpy() if weighted else np.ones(rows)
    up, down = w[y == 1].sum(), w[y == 0].sum()
    target = np.where(y == 1, (up + 1) / (up + 2), 1 / (down + 2))
    loss = lambda ab: (w * (np.logaddexp(0, ab[0] * s + ab[1]) - (1 - target) * (ab[0] * s + ab[1]))).sum()
    fit = _SigmoidCalibration().fit(s, y, w)
    a, b = minimize(loss, [fit.a_, fit.b_], method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-14, "maxiter": 4000}).x
    assert abs(a - fit.a_) + abs(b - fit.b_) < 1e-4, "scikit-learn's minimum is not this one"  # its own stops at 1e-6
    p = 1 / (1 + np.exp(a * query.double().numpy() + b))
    inputs = {"scores": scores, "labels": labels, "query": query} | ({"weights": weights} if weighted else {})
    save(name, "sigmoid_calibration", {}, inputs, {"probabilities": torch.from_numpy(p)}, rtol=1e-6, atol=0,  # sqrt(1e-14) x 10
         source=f"{SKLEARN}, its loss minimised by {SCIPY}")


sigmoid("sigmoid_calibration", 91, 83, False)
sigmoid("sigmoid_calibration_weights", 101, 120, True)

for name, seed, rows, weighted in (("isotonic_calibration", 111, 97, False), ("isotonic_calibration_weights", 121, 131, True)):
    scores, labels, weights, query = scores_and_labels(seed, rows, steps=8)  # ties
    fit = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
    fit.fit(scores.double().numpy(), labels.double().numpy(), weights.double().numpy() if weighted else None)
    inputs = {"scores": scores, "labels": labels, "query": query} | ({"weights": weights} if weighted else {})
    save(name, "isotonic_calibration", {}, inputs, {"probabilities": torch.from_numpy(fit.predict(query.double().numpy()))},
         rtol=1e-13, atol=0, source=SKLEARN)  # 131 terms x 2^-53

logits = 4 * numbers(131, 71, 4)
labels = torch.argmax(logits + 3 * numbers(132, 71, 4), 1)
z, query = logits.double(), 4 * numbers(133, 9, 4)
nll = lambda log_t: float(torch.nn.functional.cross_entropy(z / np.exp(log_t), labels))
log_t = minimize_scalar(nll, bounds=(-3, 3), method="bounded", options={"xatol": 1e-11}).x
save("temperature_calibration", "temperature_calibration", {}, {"logits": logits, "labels": labels, "query": query},
     {"probabilities": torch.softmax(query.double() / np.exp(log_t), 1)}, rtol=1e-6, atol=0, source=SCIPY)

scores, labels, weights, _ = scores_and_labels(141, 89, steps=3)  # ties
for name, w in (("average_precision_ties", None), ("average_precision_weights", weights)):
    value = average_precision_score(labels.numpy(), scores.numpy(), sample_weight=None if w is None else w.double().numpy())
    save(name, "average_precision", {}, {"scores": scores, "labels": labels} | ({} if w is None else {"weights": w}),
         {"value": torch.tensor([value], dtype=torch.double)}, rtol=1e-13, atol=0, source=SKLEARN)
