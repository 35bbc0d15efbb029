"""RecBole's MacridVAE trained on a split of ours, in an environment of its own; `training_speed.py` says how to make one.

python -m benchmarks.recbole_training FOLDER: reads `settings.json`, `training.npz` and `fold_in.npz` (users × items), writes
`scores.npy` (fold-in users × items) and prints the seconds of every epoch and how memory grew, as JSON. With `score_every` in the
settings it writes `scores-N.npy` after every so many epochs too, N the number of the epoch.
"""

import csv
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.model.general_recommender import MacridVAE
from recbole.trainer import Trainer
from recbole.utils import init_seed
from scipy import sparse

from benchmarks.resident import forget_peak, memory


def main() -> None:
    """Train, score and print."""
    folder = Path(sys.argv[1])
    given = json.loads((folder / "settings.json").read_text())
    torch.set_num_threads(given["threads"])
    training = sparse.load_npz(folder / "training.npz").tocoo()
    data = folder / "clicks"
    data.mkdir(exist_ok=True)
    with (data / "clicks.inter").open("w", newline="") as file:
        rows = csv.writer(file, delimiter="\t")
        rows.writerow(["user_id:token", "item_id:token"])
        rows.writerows(zip(training.row.tolist(), training.col.tolist(), strict=True))
    batches = -(-training.shape[0] // given["batch_size"])
    settings = {
        "data_path": str(folder), "load_col": {"inter": ["user_id", "item_id"]}, "use_gpu": False, "state": "WARNING",
        "show_progress": False, "checkpoint_dir": str(folder), "seed": given["seed"], "reproducibility": False,
        "eval_args": {"split": {"RS": [1.0, 0.0, 0.0]}, "order": "RO", "group_by": None, "mode": "full"},
        "train_neg_sample_args": None, "train_batch_size": given["batch_size"], "learning_rate": given["learning_rate"],
        "kfac": given["concepts"], "embedding_size": given["dimensions"], "encoder_hidden_size": [given["dimensions"]],
        "dropout_prob": 1 - given["keep_probability"], "std": given["prior_std"], "tau": given["temperature"],
        "anneal_cap": given["beta"], "total_anneal_steps": given["anneal_epochs"] * batches,
    }  # fmt: skip
    config = Config(model="MacridVAE", dataset="clicks", config_dict=settings)
    init_seed(given["seed"], False)
    dataset = create_dataset(config)
    batches_of_users, _, _ = data_preparation(config, dataset)
    model = MacridVAE(config, batches_of_users.dataset)
    trainer = Trainer(config, model)
    forget_peak()
    before, seconds = memory("VmRSS"), []
    ids = dataset.token2id("item_id", [str(item) for item in range(training.shape[1])])
    for epoch in range(given["epochs"]):
        began = time.perf_counter()
        trainer._train_epoch(batches_of_users, epoch)
        seconds.append(time.perf_counter() - began)
        if (epoch + 1) % given.get("score_every", given["epochs"] + 1) == 0:
            np.save(folder / f"scores-{epoch + 1}.npy", scores_of(model, dataset.item_num, ids, folder))
    grown = memory("VmHWM") - before
    np.save(folder / "scores.npy", scores_of(model, dataset.item_num, ids, folder))
    print(json.dumps({"seconds": seconds, "grown": grown}))


def scores_of(model: MacridVAE, items: int, ids: np.ndarray, folder: Path) -> np.ndarray:
    """What the model says of the users of `fold_in.npz`, without noise: (users, items of ours)."""
    fold_in = sparse.load_npz(folder / "fold_in.npz").toarray()
    clicks = torch.zeros(len(fold_in), items)
    clicks[:, ids] = torch.from_numpy(fold_in).float()
    training = model.training
    model.eval()
    with torch.no_grad():
        scores, _, _ = model.forward(clicks)
    model.train(training)
    found: np.ndarray = scores.numpy()[:, ids]
    return found


if __name__ == "__main__":
    main()
