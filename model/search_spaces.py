"""Where `macrid tune` looks: for each method, the settings that are searched and their ranges; all others stay as they are."""

from collections.abc import Mapping

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

Space = Mapping[str, BaseDistribution]

RATE = FloatDistribution(3e-4, 1e-2, log=True)
KEEP = FloatDistribution(0.3, 1.0)
WIDTH = CategoricalDistribution([50, 100, 200])
HIDDEN = CategoricalDistribution([100, 200, 600])
BATCH = IntDistribution(20, 500, log=True)

SPACES: Mapping[str, Space] = {
    # The paper's own, without τ and d, which it fixes; averaging, anchor and balance are ours. No teacher:
    # where there is one, the best of the others are elsewhere; `--set teacher=0.5` searches them beside it.
    "macridvae": {
        "concepts": IntDistribution(1, 30, log=True),
        "beta": FloatDistribution(0.05, 5.0, log=True),
        "prior_std": FloatDistribution(0.03, 0.3, log=True),
        "keep_probability": KEEP,
        "learning_rate": RATE,
        "batch_size": BATCH,
        "averaging": FloatDistribution(0.9, 0.995),
        "anchor": FloatDistribution(0.0, 1.5),
        "balance": FloatDistribution(0.0, 1.0),
    },
    "item-knn": {
        "neighbours": IntDistribution(5, 1_000, log=True),
        "shrinkage": FloatDistribution(0.1, 1_000.0, log=True),
    },
    "ease": {"regularization": FloatDistribution(1.0, 10_000.0, log=True)},
    "multdae": {
        "latent": WIDTH,
        "weight_decay": FloatDistribution(1e-4, 1.0, log=True),
        "keep_probability": KEEP,
        "learning_rate": RATE,
        "batch_size": BATCH,
    },
    "multvae": {
        "hidden": HIDDEN,
        "latent": WIDTH,
        "beta": FloatDistribution(0.01, 1.0, log=True),
        "keep_probability": KEEP,
        "learning_rate": RATE,
        "batch_size": BATCH,
    },
    "recvae": {
        "hidden": HIDDEN,
        "latent": WIDTH,
        "gamma": FloatDistribution(1e-3, 0.1, log=True),
        "keep_probability": KEEP,
        "learning_rate": RATE,
        "batch_size": BATCH,
    },
}
ON_REQUEST: Mapping[str, Space] = {  # `--also`
    "macridvae": {
        "temperature": FloatDistribution(0.05, 0.3, log=True),
        "dimensions": CategoricalDistribution([32, 64, 100, 200]),
    },
}
