"""What training minimises: −E ln p(x | z, C) + β · KL(q ‖ p), PAPER.md eq. (3)-(5), averaged over users."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from macrid.model.likelihood import negative_log_likelihood
from macrid.model.network import Histories, MacridVAE, NetworkConfig, Posterior, unit
from macrid.model.sampling import Sample
from macrid.model.targets import BatchQuestion


@dataclass(frozen=True)
class Loss:
    """Means over the batch's users, as scalars with gradients; of a part of them, what they add to these means."""

    negative_log_likelihood: Tensor
    kl: Tensor
    beta: float

    @property
    def total(self) -> Tensor:
        """−log likelihood + β · KL."""
        return self.negative_log_likelihood + self.beta * self.kl


def sample_log_concepts(logits: Tensor, generator: torch.Generator) -> Tensor:
    """Log C for C ~ Gumbel-Softmax(logits) at temperature 1, (M, K): kept as logarithms, where nothing underflows."""
    uniform = torch.rand(logits.shape, generator=generator, device=logits.device)
    gumbel = -torch.log(-torch.log(uniform.clamp(1e-20, 1 - 1e-7)))
    return (logits + gumbel).log_softmax(dim=1)


@dataclass(frozen=True)
class Noise:
    """What is drawn for the users of a batch: which clicks dropout keeps, (E, K) bool, and ε, (K, B, d)."""

    kept: Tensor
    epsilon: Tensor

    @staticmethod
    def draw(config: NetworkConfig, histories: Histories, generator: torch.Generator) -> "Noise":
        """For these users, in this order."""
        K, d = config.concepts, config.dimensions
        kept = torch.rand(len(histories.items), K, generator=generator) < config.keep_probability
        return Noise(kept, torch.randn(K, histories.users, d, generator=generator))

    def part(self, clicks: slice, users: slice) -> "Noise":
        """That of consecutive users."""
        return Noise(self.kept[clicks], self.epsilon[:, users])


def sample_components(posterior: Posterior, prior_std: float, epsilon: Tensor) -> Tensor:
    """Z = μ + σ · ε with σ² = σ₀² · exp(log variance ratio), (K, B, d)."""
    return posterior.mean + prior_std * torch.exp(0.5 * posterior.log_variance_ratio) * epsilon


def kl_divergence(log_variance_ratio: Tensor) -> Tensor:
    """Σ_k KL(q ‖ N(0, σ₀² I)) of each user, (B,), from (K, B, d).

    Because |μ| = 1 the part that depends on the mean is the constant 1 / (2 σ₀²), left out as the authors do.
    """
    return 0.5 * (log_variance_ratio.exp() - 1 - log_variance_ratio).sum(dim=(0, 2))


def refined_in_training(
    network: MacridVAE,
    components: Tensor,
    seen: Histories,
    unit_items: Tensor,
    log_concepts: Tensor,
    step: float,
    factors: torch.dtype | None = None,
) -> Tensor:
    """Components after a step uphill on the log likelihood of what is seen, as `MacridVAE.refined` goes by every item.

    The gradient is of the likelihood that training has anyway, and a constant for what comes after: the network learns what such
    a step leaves to be learnt, not how to lead it.

    Args:
        network: whose temperature it is.
        components: (K, B, d), unit.
        seen: of the B users.
        unit_items: (M, d).
        log_concepts: log C, (M, K).
        step: as a multiple of τ.
        factors: see `negative_log_likelihood`.

    Returns:
        (K, B, d), unit.
    """
    at, temperature = components.detach().requires_grad_(), network.config.temperature
    of_each = 1.0 / torch.bincount(seen.rows, minlength=seen.users).clamp_min(1)  # (B,) means over what is seen
    loss = negative_log_likelihood(
        at, unit_items.detach(), log_concepts.detach(), seen, temperature, None, factors, of_each
    )
    (downhill,) = torch.autograd.grad(loss, at)
    return unit(components - step * temperature * downhill)


def training_loss(
    network: MacridVAE,
    histories: Histories,
    beta: float,
    generator: torch.Generator,
    sample: Sample | None = None,
    part: slice | None = None,
    factors: torch.dtype | None = None,
    question: BatchQuestion | None = None,
    refinement: float = 0.0,
) -> Loss:
    """One draw of the objective for a batch: concepts, dropout and components drawn in this order.

    With a part of the users everything is drawn as for all of them, and the loss is what those add to the means: summed over the
    parts it is the loss of the batch. `factors` is that of `negative_log_likelihood`.

    With a sample of items the normaliser is estimated from it and from each user's own clicks, and no other row of a table
    is looked at; the gradients of both tables are then sparse.

    A question says how much each user counts. Where it has a teacher, the encoder sees each click with the probability of
    dropout's, for all concepts together and undiminished, and what it sees is no part of what is asked. Then components may be
    refined by what it sees, by a step of `refinement`, before they answer.
    """
    contexts = log_weights = None
    if sample is not None:
        histories, log_weights = sample.histories, sample.log_weights
        contexts = network.contexts(sample.items[: sample.clicked])
    unit_items = network.unit_items(None if sample is None else sample.items)
    log_concepts = sample_log_concepts(network.concept_logits(unit_items), generator)
    users, noise = histories.users, Noise.draw(network.config, histories, generator)
    if part is not None:
        histories, noise = histories.part(part), noise.part(histories.clicks_of(part), part)
        question = question and question.part(part)
    targets = None
    if question is not None and question.taught:
        targets = question.targets(histories, noise.kept[:, 0])
        posterior = network.encode(targets.left_out, log_concepts.exp())
        if refinement:
            seen, mean = targets.left_out, posterior.mean
            refined = refined_in_training(network, mean, seen, unit_items, log_concepts, refinement, factors)
            posterior = replace(posterior, mean=refined)
    else:
        posterior = network.encode(histories, log_concepts.exp(), noise.kept, contexts)
    z = unit(sample_components(posterior, network.config.prior_std, noise.epsilon))
    likelihood = negative_log_likelihood(
        z,
        unit_items,
        log_concepts,
        histories,
        network.config.temperature,
        log_weights,
        factors,
        None if question is None else question.weights,
        targets,
    )
    return Loss(
        negative_log_likelihood=likelihood / users,
        kl=kl_divergence(posterior.log_variance_ratio).sum() / users,
        beta=beta,
    )


def anchoring(network: MacridVAE, start: Tensor, sample: Sample | None = None) -> Tensor:
    """−Σ_i Σ_k start_{i,k} log c_{i,k} for the concept weights (M, K) that the items started with: ours, not the paper's.

    With a sample of items the sum is estimated from it, without bias.
    """
    if sample is None:
        return F.cross_entropy(network.concept_logits(network.unit_items()), start, reduction="sum")
    logits = network.concept_logits(network.unit_items(sample.items))
    return (sample.weights_in_a_sum() * F.cross_entropy(logits, start[sample.items], reduction="none")).sum()


def annealed_beta(beta: float, updates: int, anneal_updates: int) -> float:
    """β grows linearly from 0 and stays at its value: min(β, updates / anneal_updates), as the authors' code does."""
    return min(beta, updates / anneal_updates)
