"""The training loop, visible from end to end: batches, loss, step, validation, and the best epoch kept."""

import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from scipy import sparse

from macrid.model.checkpoint import Checkpoints, Keeper, data_fingerprint
from macrid.model.errors import CheckpointError, DataError, RanksError, TrainingError
from macrid.model.evaluation import Evaluation, evaluate
from macrid.model.initialisation import start_from_co_clicks
from macrid.model.landmarks import refinement_of
from macrid.model.machine import multiplies_bfloat16
from macrid.model.network import Histories, MacridVAE, NetworkConfig, Refinement
from macrid.model.objective import anchoring, annealed_beta, training_loss
from macrid.model.ranks import ALONE, Ranks
from macrid.model.sampling import Distribution, ItemSampler, check_samples
from macrid.model.splitting import HeldOut, Split
from macrid.model.targets import BatchQuestion, Opinion, Question
from macrid.model.training_state import Epoch as Epoch
from macrid.model.training_state import Pass, TrainingState

Start = Callable[[MacridVAE, sparse.csr_matrix, torch.Generator], torch.Tensor]  # -> (M, K) concept weights

SAMPLED_FROM, SAMPLES = 50_000, 4096  # items; docs/training.md says why
DIVERGED = 3.0  # times the lowest mean loss of an epoch: no annealing raises it so far
FREE_TO_CHANGE = ("epochs", "patience", "basis", "refinement")  # when training is resumed


@dataclass(frozen=True)
class TrainingConfig:
    """How to train. The defaults are the authors' where their code says, ours where it is silent.

    Attributes:
        network: shapes and scales.
        epochs: upper bound; the epoch with the best validation NDCG@100 is kept.
        patience: stop after so many epochs without a better one.
        batch_size: users per update; None: an eighth of the training users, at most the authors' 500 and at least 20, so that
            a small data set gets enough updates in an epoch.
        learning_rate: of Adam.
        beta: weight of the KL once annealed.
        anneal_epochs: β reaches 1 (and before that `beta`) after so many epochs.
        averaging: decay per update of the exponential average of the weights, which is what is validated and kept; 0 for
            none, as the authors do. With few users it makes the choice of the epoch less a matter of luck.
        basis: "independent" chooses the axes of the exported model after training (see basis.py), which changes no score;
            "trained" leaves them as training did.
        anchor: how strongly an item is held to the concept weights it started with: the weight, per item, of the cross entropy
            between those and its own. Items with many clicks can still move, those with few stay where their co-clicks put
            them. 0 for none; of no effect with a random start.
        balance: how much less a click counts in a long history: the log likelihood of a user with n clicks is weighted by
            n^−balance, scaled so that a click weighs 1 on average. 0: every click counts alike, as in the paper; 1: every user.
        teacher: the share of every user's target that a teacher sets, which is EASE, and the encoder then sees only a part of a
            history and is asked for the rest: see targets.py. 0 for none, and what is asked for is the whole history, as in the
            paper. Needs M² floats, or U² where there are fewer users than items.
        teacher_regularization: λ of that EASE.
        teacher_opinion: what becomes of its scores: "softmax", or "square", which is sharper where histories are short.
        samples: how many items an update draws, beside those clicked, for the normaliser of the likelihood: see sampling.py; the
            tables are then changed by rows. 0 for all items, as the authors do; None: SAMPLES in a catalogue of
            SAMPLED_FROM items or more, else 0.
        sampling: "log_uniform" draws popular items more often, "uniform" all alike.
        initialisation: "co_clicks" starts concepts from the co-click graph (see initialisation.py), "random" as the authors do.
        refinement: how far components are moved, after encoding, to what fits a user's clicks better, as a multiple of τ: see
            `MacridVAE.refined`. 0 for not at all, as in the paper.
        refined: "afterwards" does so once training is over, by landmarks that stand for the items, and the epoch is chosen
            without; "throughout" in training too, by every item, so that the network learns what the step leaves to be learnt.
            That asks for a teacher: without one the answer is among what is seen.
        precision: of the factors in the likelihood's matrix products, where most of the time goes; weights and sums are float32
            in any case. "bf16" is for processors that multiply such matrices fast (AMX); others may take twenty times as long
            as with "float32". "auto" is the one that is quicker here, and which it was stands in what is returned.
        seed: of everything random in training: the same seed gives the same network.
    """

    network: NetworkConfig = field(default_factory=NetworkConfig)
    epochs: int = 200
    patience: int = 50
    batch_size: int | None = None
    learning_rate: float = 1e-3
    beta: float = 0.2
    anneal_epochs: int = 5
    averaging: float = 0.98
    samples: int | None = None
    sampling: Distribution = "log_uniform"
    initialisation: Literal["co_clicks", "random"] = "co_clicks"
    anchor: float = 0.5
    balance: float = 0.0
    teacher: float = 0.0
    teacher_regularization: float = 300.0
    teacher_opinion: Opinion = "softmax"
    basis: Literal["independent", "trained"] = "independent"
    refinement: float = 0.0
    refined: Literal["afterwards", "throughout"] = "afterwards"
    precision: Literal["float32", "bf16", "auto"] = "float32"
    seed: int = 98765

    @property
    def refinement_in_training(self) -> float:
        """How far components are moved while training; 0 for not at all."""
        return self.refinement if self.refined == "throughout" else 0.0


@dataclass(frozen=True)
class Trained:
    """The network of the best epoch, the configuration with every default resolved, and every epoch's record."""

    network: MacridVAE
    config: TrainingConfig
    best_epoch: int
    history: tuple[Epoch, ...]
    interrupted: bool = False


def train(
    split: Split,
    config: TrainingConfig,
    on_epoch: Callable[[Epoch], None] | None = None,
    checkpoints: Checkpoints | None = None,
    start: Start | None = None,
    ranks: Ranks = ALONE,
) -> Trained:
    """Train on the split's training users; keep the epoch that ranks its validation users best.

    Ctrl-C ends training with the best epoch so far, unless there is none yet or several processes would have to agree on it.

    Args:
        split: never looked at: `split.test`.
        config: see `TrainingConfig`.
        on_epoch: called after every epoch, for progress.
        checkpoints: where to keep the state, and whether to go on from it; None for nowhere.
        start: sets a new network up instead of `config.initialisation`.
        ranks: the processes that train together; each ends with the same network.

    Raises:
        TrainingError: the loss is not finite, or diverges.
        CheckpointError: the checkpoint is damaged or of another training.
        RanksError: another process is of another training, or is lost.
    """
    config = resolved(config, *split.training.shape)
    data = data_fingerprint(split.training, split.validation.fold_in, split.validation.withheld)
    state, keeper = _begin(split.training, config, checkpoints, data, start, ranks)
    config = dataclasses.replace(config, precision=precision_here(config))
    question = _question(split.training, config)
    interrupted = False
    try:
        while len(state.epochs) < config.epochs and len(state.epochs) - state.best_epoch < config.patience:
            done = _one_pass(state, split.training, question, config, keeper, ranks)
            state.kept.refinement = _refinement(state.kept, config) if config.refinement_in_training else None
            epoch = state.add(done, _validate(state, split.validation, ranks))
            if on_epoch is not None:
                on_epoch(epoch)
            _refuse_divergence(state.epochs, config)
        keeper.keep(*state.to_checkpoint())
    except KeyboardInterrupt:
        if not state.epochs or ranks.size > 1:
            raise
        interrupted = True
    state.network.load_state_dict(state.best)
    state.network.refinement = _refinement(state.network, config)
    return Trained(state.network, config, state.best_epoch, tuple(state.epochs), interrupted)


def refit(
    training: sparse.csr_matrix,
    config: TrainingConfig,
    epochs: int,
    on_pass: Callable[[Pass], None] | None = None,
    checkpoints: Checkpoints | None = None,
    start: Start | None = None,
    ranks: Ranks = ALONE,
) -> MacridVAE:
    """Train for so many epochs without looking at anything else, for a network that is served after the evaluation of another.

    Args:
        training: (U, M) of all users.
        config: of the network that was evaluated, its batch size included.
        epochs: the number of its best one.
        on_pass: called after every epoch, for progress.
        checkpoints: see `train`.
        start: see `train`.
        ranks: see `train`.

    Raises:
        TrainingError, CheckpointError, RanksError: see `train`. CheckpointError too where the checkpoint has gone further.
    """
    config = dataclasses.replace(resolved(config, *training.shape), epochs=epochs)
    state, keeper = _begin(training, config, checkpoints, data_fingerprint(training), start, ranks)
    if checkpoints is not None and state.passes > epochs:
        raise CheckpointError(
            f"{checkpoints.path}: has gone through {state.passes} epochs, expected at most {epochs}, the number of the best one; "
            "remove the file"
        )
    config = dataclasses.replace(config, precision=precision_here(config))
    question = _question(training, config)
    passes: list[Pass] = []
    while state.passes < epochs:
        passes.append(_one_pass(state, training, question, config, keeper, ranks))
        if on_pass is not None:
            on_pass(passes[-1])
        _refuse_divergence(passes, config)
    keeper.keep(*state.to_checkpoint())
    network = state.kept
    network.refinement = _refinement(network, config)
    return network


def resolved(config: TrainingConfig, users: int, items: int) -> TrainingConfig:
    """The configuration with the batch size and the number of samples said.

    Raises:
        DataError: there are fewer items than samples, or a teacher, who has an opinion of every item, beside a sample of them; or
            components are to be refined throughout, with no step or no teacher.
    """
    if config.refined == "throughout" and not (config.refinement and config.teacher):
        raise DataError(
            f"refined is throughout, refinement is {config.refinement} and teacher is {config.teacher}; expected both above 0: "
            "there must be a step, and what is asked must not be what it goes by, which is so with a teacher"
        )
    samples = default_samples(items) if config.samples is None else config.samples
    if samples:
        check_samples(samples, items)
        if config.teacher:
            raise DataError(
                f"teacher is {config.teacher} and samples are {samples}; expected one of them at 0: a teacher has an opinion "
                "of every item"
            )
    return dataclasses.replace(config, batch_size=config.batch_size or default_batch_size(users), samples=samples)


def precision_here(config: TrainingConfig) -> Literal["float32", "bf16"]:
    """What "auto" is on this processor; what else was asked for is left as it is.

    A checkpoint keeps what was asked for, and so do processes that train together: it is not another training where another
    processor goes on with it, or takes part.
    """
    if config.precision == "auto":
        return "bf16" if multiplies_bfloat16() else "float32"
    return config.precision


def default_batch_size(users: int) -> int:
    """Users per update when nobody says."""
    return min(500, max(20, users // 8))


def default_samples(items: int) -> int:
    """Items to draw for an update when nobody says; 0 for all of them."""
    return SAMPLES if items >= SAMPLED_FROM else 0


def _begin(
    training: sparse.csr_matrix,
    config: TrainingConfig,
    checkpoints: Checkpoints | None,
    data: str,
    start: Start | None,
    ranks: Ranks = ALONE,
) -> tuple[TrainingState, Keeper]:
    """The state to go on from: a new one, or that of a checkpoint. The first process makes or reads it, and alone keeps it."""
    _refuse_idle(ranks, config)
    settings = {**dataclasses.asdict(config), "data": data}
    first = ranks.rank == 0
    free = set(FREE_TO_CHANGE) - ({"refinement"} if config.refinement_in_training else set())
    identity = {name: value for name, value in settings.items() if name not in free}
    identity["continue_from"] = None if checkpoints is None else checkpoints.continues
    keeper = Keeper(checkpoints if first else None, identity)
    found = keeper.found()
    generator = torch.Generator().manual_seed(config.seed)
    network = MacridVAE(training.shape[1], config.network, generator)
    groups = None
    if first and found is None:
        groups = _start(network, training, config, generator, start)
    sampler = ItemSampler(training, config.samples, config.sampling) if config.samples else None
    state = TrainingState.start(network, config.learning_rate, config.averaging, generator, groups, sampler)
    if found is not None:
        state.from_checkpoint(*found)
    ranks.start_alike(state, settings)
    return state, keeper


def _start(
    network: MacridVAE,
    training: sparse.csr_matrix,
    config: TrainingConfig,
    generator: torch.Generator,
    start: Start | None,
) -> torch.Tensor | None:
    """Set up a new network; the concept weights that its items start with, where there are such."""
    if start is not None:
        return start(network, training, generator)
    return start_from_co_clicks(network, training, generator) if config.initialisation == "co_clicks" else None


def _refinement(network: MacridVAE, config: TrainingConfig) -> Refinement | None:
    """What the network's components are refined by when training is over."""
    return refinement_of(network, config.refinement, by_landmarks=config.refined == "afterwards")


def _question(training: sparse.csr_matrix, config: TrainingConfig) -> Question:
    """What training users are asked."""
    return Question.of(training, config.balance, config.teacher, config.teacher_regularization, config.teacher_opinion)


def _one_pass(
    state: TrainingState,
    training: sparse.csr_matrix,
    question: Question,
    config: TrainingConfig,
    keeper: Keeper,
    ranks: Ranks,
) -> Pass:
    """Go over the users once in random order, or over the rest of them where a checkpoint left off."""
    assert config.batch_size is not None
    rows = state.begin_pass(training.shape[0])
    per_pass = -(-len(rows) // config.batch_size)
    while state.step < per_pass:
        began = time.perf_counter()
        at = state.step * config.batch_size
        drawn = rows[at : at + config.batch_size]
        batch, asked = Histories.from_matrix(training[drawn.numpy()]), question.of_users(drawn)
        state.total += _update(state, batch, config, per_pass, len(rows), ranks, asked) * batch.users
        state.step += 1
        state.seconds += time.perf_counter() - began
        if keeper.due():
            keeper.keep(*state.to_checkpoint())
    return state.end_pass(of=config.epochs)


def _update(
    state: TrainingState,
    batch: Histories,
    config: TrainingConfig,
    per_pass: int,
    users: int,
    ranks: Ranks = ALONE,
    question: BatchQuestion | None = None,
) -> float:
    """One step of Adam on a batch; returns the mean loss per user.

    Where items are sampled, nothing here is in proportion to their number. Of several processes each adds the loss of its users,
    and an equal share of what is not of users.
    """
    updates = state.passes * per_pass + state.step
    beta = annealed_beta(config.beta, updates, config.anneal_epochs * per_pass)
    state.network.zero_grad(set_to_none=True)
    sample = None if state.sampler is None else state.sampler.draw(batch, state.generator)
    factors = torch.bfloat16 if config.precision == "bf16" else None
    part = ranks.part(batch.users)
    loss = training_loss(
        state.network, batch, beta, state.generator, sample, part, factors, question, config.refinement_in_training
    ).total
    if state.groups is not None and config.anchor:
        loss = loss + config.anchor * anchoring(state.network, state.groups, sample) / users / ranks.size
    value = ranks.total(loss)
    if not math.isfinite(value):
        raise TrainingError(
            f"the loss became {value} in epoch {state.passes + 1}, update {updates + 1}; {_advice(config)}"
        )
    loss.backward()  # type: ignore[no-untyped-call]
    ranks.add_gradients(state.network)
    state.take_step(sample)
    return value


def _validate(state: TrainingState, held_out: HeldOut, ranks: Ranks) -> Evaluation:
    """What the held-out users say of the network, each asked by one process; every process then knows all answers."""
    users = len(held_out.user_ids)
    part = ranks.part(users)
    if part is None:
        return evaluate(state.kept, held_out)
    ours = evaluate(state.kept, held_out.part(part)).values
    values = ranks.stitch(torch.from_numpy(np.stack(list(ours.values()))), part, users)  # (measures, B)
    return Evaluation(dict(zip(ours, values.numpy(), strict=True)))


def _refuse_idle(ranks: Ranks, config: TrainingConfig) -> None:
    assert config.batch_size is not None
    if config.batch_size < ranks.size:
        raise RanksError(
            f"batch_size is {config.batch_size}, expected at least {ranks.size}: a batch is shared out among the "
            f"processes; give --batch-size, or start fewer"
        )


def _refuse_divergence(epochs: Sequence[Pass], config: TrainingConfig) -> None:
    lowest = min(epochs, key=lambda epoch: epoch.loss)
    if epochs[-1].loss > DIVERGED * abs(lowest.loss):
        raise TrainingError(
            f"the loss rose from {lowest.loss:.4g} in epoch {lowest.number} to {epochs[-1].loss:.4g} in epoch "
            f"{epochs[-1].number}: training diverges; {_advice(config)}"
        )


def _advice(config: TrainingConfig) -> str:
    return (
        f"try a learning rate below {config.learning_rate}, or a higher temperature than {config.network.temperature}"
    )
