"""The recommender a request is answered by: taken once at its beginning, kept to its end (FastAPI dependencies).

They are `async` because FastAPI hands plain functions to a thread, which costs more than they do.
"""

from typing import Annotated

from fastapi import Depends, Request

from macrid.service.recommender import Recommender
from macrid.service.reload import Reloader


async def reloader_of(request: Request) -> Reloader:
    """Return the app's reloader."""
    reloader: Reloader = request.app.state.reloader
    return reloader


def recommender_of(request: Request) -> Recommender:
    """Return the recommender that serves now; asked once per request, so that a swap cannot split an answer."""
    reloader: Reloader = request.app.state.reloader
    recommender = reloader.current()
    request.state.model_version = recommender.version  # for a problem document, should it come to that
    return recommender


async def current_recommender(request: Request) -> Recommender:
    """Return the recommender that serves now; FastAPI asks once per request."""
    return recommender_of(request)


CurrentReloader = Annotated[Reloader, Depends(reloader_of)]
CurrentRecommender = Annotated[Recommender, Depends(current_recommender)]
