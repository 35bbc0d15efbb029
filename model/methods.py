"""All that can be compared and tuned, MacridVAE and the baselines alike: a name, settings, and how to fit it to a split."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from macrid.model.baselines.ease import fit_ease
from macrid.model.baselines.item_knn import ItemKnn
from macrid.model.baselines.mult_dae import MultDae, MultDaeConfig
from macrid.model.baselines.mult_vae import BetaMultVae, MultVaeConfig
from macrid.model.baselines.popularity import Popularity
from macrid.model.baselines.rec_vae import RecVae, RecVaeConfig
from macrid.model.datasets.dataset import Source
from macrid.model.errors import DataError
from macrid.model.evaluation import Scorer
from macrid.model.network import NetworkConfig
from macrid.model.pipeline import EASE_REGULARIZATION, training_config
from macrid.model.settings import Settings, check_settings, kinds_of
from macrid.model.splitting import Split
from macrid.model.training import Epoch, TrainingConfig, train

OnEpoch = Callable[[int, float], None]


@dataclass(frozen=True)
class Method:
    """A way to rank items for histories.

    Attributes:
        name: as options and files have it.
        title: as tables have it.
        kinds: setting -> type of its values; the seed is not among them.
        resolve: the source and some settings -> all settings, the defaults included.
        fit: split, all settings, seed, and what to call with every epoch's number and validation NDCG@100 -> a scorer.
    """

    name: str
    title: str
    kinds: Mapping[str, Any]
    resolve: Callable[[Source, Settings], Settings]
    fit: Callable[[Split, Settings, int, OnEpoch | None], Scorer]


def method(name: str) -> Method:
    """The method of that name.

    Raises:
        DataError: there is none.
    """
    if name not in ALL:
        raise DataError(f"{name!r} is no method; expected one of {', '.join(ALL)}")
    return ALL[name]


def resolve(chosen: Method, source: Source, settings: Settings, where: str) -> Settings:
    """All settings of a method, those not given at their defaults.

    Raises:
        DataError: one is not known or cannot be; the message begins with `where`.
    """
    check_settings(settings, chosen.kinds, where)
    return chosen.resolve(source, settings)


def _plain(name: str, title: str, defaults: Settings, fit: Callable[[Split, Any], Scorer]) -> Method:
    """A method with a closed form: nothing is random, and there are no epochs."""
    kinds = {key: type(value) for key, value in defaults.items()}
    return Method(
        name,
        title,
        kinds,
        resolve=lambda _, settings: {**defaults, **settings},
        fit=lambda split, settings, _seed, _on_epoch: fit(split, settings),
    )


def _neural(name: str, title: str, config: type, fit: Callable[[Split, Any, OnEpoch | None], Scorer]) -> Method:
    kinds = kinds_of(config)

    def resolve(_: Source, settings: Settings) -> Settings:
        return {key: value for key, value in asdict(config(**settings)).items() if key in kinds}

    return Method(
        name,
        title,
        kinds,
        resolve,
        fit=lambda split, settings, seed, on_epoch: fit(split, config(**settings, seed=seed), on_epoch),
    )


def _resolve_macrid(source: Source, settings: Settings) -> Settings:
    config = asdict(training_config(source, settings))
    everything = {**config, **config["network"]}
    return {name: everything[name] for name in MACRID_KINDS}


def _fit_macrid(split: Split, settings: Settings, seed: int, on_epoch: OnEpoch | None) -> Scorer:
    of_network = {name: value for name, value in settings.items() if name in kinds_of(NetworkConfig)}
    rest = {name: value for name, value in settings.items() if name not in of_network}
    config = TrainingConfig(network=NetworkConfig(**of_network), seed=seed, **rest)  # type: ignore[arg-type]

    def report(epoch: Epoch) -> None:
        if on_epoch is not None:
            on_epoch(epoch.number, epoch.validation.mean("ndcg@100"))

    trained = train(split, config, report)
    if trained.interrupted:
        raise KeyboardInterrupt
    return trained.network


MACRID_KINDS = kinds_of(TrainingConfig, NetworkConfig)
ALL: dict[str, Method] = {
    each.name: each
    for each in (
        Method("macridvae", "MacridVAE", MACRID_KINDS, _resolve_macrid, _fit_macrid),
        _plain("popularity", "popularity", {}, lambda split, _: Popularity.fit(split.training)),
        _plain(
            "item-knn",
            "item-kNN",
            {"neighbours": 100, "shrinkage": 20.0},
            lambda split, settings: ItemKnn.fit(split.training, **settings),
        ),
        _plain(
            "ease",
            "EASE",
            {"regularization": EASE_REGULARIZATION},
            lambda split, settings: fit_ease(split.training, **settings),
        ),
        _neural("multdae", "MultDAE", MultDaeConfig, MultDae.fit),
        _neural("multvae", "β-MultVAE", MultVaeConfig, BetaMultVae.fit),
        _neural("recvae", "RecVAE", RecVaeConfig, RecVae.fit),
    )
}
BASELINES = tuple(name for name in ALL if name != "macridvae")
