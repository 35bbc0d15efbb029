"""The least a FastAPI route can do with the schemas of `POST /recommend`: read a request, return an answer made before."""

import os
from pathlib import Path

from fastapi import FastAPI

from macrid.artifacts.store import Store
from macrid.service.loaded_model import LoadedModel
from macrid.service.recommender import Limits, Recommender
from macrid.service.schemas import Recommendations, RecommendRequest

app = FastAPI()
_model = LoadedModel.prepare(Store(Path(os.environ["BARE_STORE"])).open_current(), "exact")
_ids = _model.bundle.catalogue.item_ids(range(50))
_answer = Recommender(_model, Limits()).recommend(RecommendRequest(history=_ids, n=20))


@app.post("/recommend")
async def recommend(request: RecommendRequest) -> Recommendations:
    """Return the same answer to everybody."""
    return _answer
