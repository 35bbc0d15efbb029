"""RecBole's MacridVAE behind a FastAPI route with the schemas of `POST /recommend`, in an environment of its own.

    pip install recbole==1.2.1 torch==2.13.0 "numpy<2" "scipy<1.12" "pandas<2.3" kmeans-pytorch fastapi "uvicorn[standard]"

Its `full_sort_predict` takes users that were in its data, so here every history that will be asked for is one, and further users
hold the rest of the catalogue. Weights stay as they are drawn: what an answer costs does not depend on them.
`benchmarks/recommend_speed.py --recbole PYTHON` starts it.
"""

import csv
import json
import os
import tempfile
from pathlib import Path

import torch
from fastapi import FastAPI
from recbole.config import Config
from recbole.data import create_dataset
from recbole.model.general_recommender import MacridVAE

from macrid.service.schemas import RankedItem, Recommendations, RecommendRequest
from macrid.service.schemas.users import RankingUsed

CLICKS = 50


def load() -> tuple[MacridVAE, dict[tuple[str, ...], int], list[str]]:
    """Make the data and the model: (model, user number of each history, item id of each number)."""
    histories: list[list[str]] = json.loads(Path(os.environ["RECBOLE_HISTORIES"]).read_text())
    ids: list[str] = json.loads(Path(os.environ["RECBOLE_ITEMS"]).read_text())
    concepts, dimensions = json.loads(os.environ["RECBOLE_SHAPE"])
    others = [ids[start : start + CLICKS] for start in range(0, len(ids), CLICKS)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shop" / "shop.inter"
        path.parent.mkdir()
        with path.open("w", newline="") as file:
            rows = csv.writer(file, delimiter="\t")
            rows.writerow(["user_id:token", "item_id:token"])
            rows.writerows((user, item) for user, items in enumerate(histories + others) for item in items)
        settings = {
            "data_path": folder, "load_col": {"inter": ["user_id", "item_id"]}, "kfac": concepts, "embedding_size": dimensions,
            "encoder_hidden_size": [dimensions], "use_gpu": False, "state": "WARNING", "show_progress": False,
            "checkpoint_dir": folder,
            "eval_args": {"split": {"RS": [1.0, 0.0, 0.0]}, "order": "RO", "group_by": None, "mode": "full"},
        }  # fmt: skip
        config = Config(model="MacridVAE", dataset="shop", config_dict=settings)
        dataset, *_ = create_dataset(config).build()  # all of it to train on
        model = MacridVAE(config, dataset)
    users = {tuple(history): dataset.token2id("user_id", str(user)) for user, history in enumerate(histories)}
    return model.eval(), users, list(dataset.id2token("item_id", range(dataset.item_num)))


torch.set_num_threads(1)
app = FastAPI()
_model, _users, _ids = load()


@app.post("/recommend")
def recommend(request: RecommendRequest) -> Recommendations:
    """Rank every item, leave the history out, and return the best."""
    user = torch.tensor([_users[tuple(request.history)]])
    with torch.no_grad():
        scores = _model.full_sort_predict({"user_id": user})
    scores[_model.history_item_id[user[0]]] = -torch.inf
    scores[0] = -torch.inf  # RecBole's padding
    best = torch.topk(scores, request.n)
    placed = enumerate(zip(best.indices.tolist(), best.values.tolist(), strict=True), start=1)
    return Recommendations(
        model_version="recbole", fallback=None, unknown_items=[], components=[], steering=None,
        ranking=RankingUsed(ranker="exact", certified=True),
        items=[
            RankedItem(
                item_id=_ids[item], title=_ids[item], image=None, concept=0, metadata={}, rank=rank, score=score, rank_before=None
            )
            for rank, (item, score) in placed
        ],
    )  # fmt: skip
