"""MacridVAE (Ma et al., NeurIPS 2019), the whole network. PAPER.md sections are named beside what they describe.

Letters: B users of a batch, E their clicks together, M items, K concepts, d dimensions.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from scipy import sparse
from torch import Tensor, nn

from macrid.model.bags import weighted_sums

SCORES = 64_000_000  # of K·b·M at work at a time when all items are scored: 256 MB


@dataclass(frozen=True)
class NetworkConfig:
    """The shape of the network and the scales the paper fixes.

    Attributes:
        concepts: K, as in the authors' code.
        dimensions: d, the size at which the paper compares all methods.
        temperature: τ of both the concept assignment and the decoder; the paper fixes 0.1.
        prior_std: σ₀; the authors' code has 0.075, their text about 0.1.
        keep_probability: of the dropout on the normalised input row.
        similarity: of items with prototypes and with components; "inner_product" leaves items and prototypes as long as they
            are, the ablation of the paper's Figure 2e. Only "cosine" can be served.
    """

    concepts: int = 7
    dimensions: int = 100
    temperature: float = 0.1
    prior_std: float = 0.075
    keep_probability: float = 0.5
    similarity: Literal["cosine", "inner_product"] = "cosine"


@dataclass(frozen=True)
class Histories:
    """Clicks of a batch of users, row after row: `items` (E,) int64, `rows` (E,) int64 ascending, for `users` rows."""

    items: Tensor
    rows: Tensor
    users: int

    @staticmethod
    def from_matrix(matrix: sparse.csr_matrix) -> "Histories":
        """(B, M) implicit matrix -> its clicks."""
        rows = np.repeat(np.arange(matrix.shape[0], dtype=np.int64), np.diff(matrix.indptr))
        return Histories(torch.from_numpy(matrix.indices.astype(np.int64)), torch.from_numpy(rows), matrix.shape[0])

    def to_matrix(self, items: int) -> sparse.csr_matrix:
        """Its clicks -> (B, M) implicit matrix."""
        starts = np.concatenate([[0], np.bincount(self.rows.numpy(), minlength=self.users).cumsum()])
        return sparse.csr_matrix(
            (np.ones(len(self.items), dtype=np.float32), self.items.numpy(), starts), shape=(self.users, items)
        )

    def clicks_of(self, users: slice) -> slice:
        """Where the clicks of consecutive users are."""
        start, end = torch.searchsorted(self.rows, torch.tensor([users.start, users.stop])).tolist()
        return slice(start, end)

    def part(self, users: slice) -> "Histories":
        """Those of consecutive users."""
        clicks = self.clicks_of(users)
        return Histories(self.items[clicks], self.rows[clicks] - users.start, users.stop - users.start)

    def only(self, clicks: Tensor) -> "Histories":
        """Those of the clicks, (E,) bool, of the same users."""
        return Histories(self.items[clicks], self.rows[clicks], self.users)


@dataclass(frozen=True)
class Landmarks:
    """What stands for all items where something is summed over them.

    Attributes:
        vectors: (K, S, d), for the items of a concept.
        masses: (K, S), Σ_i c_{i,k} over the items that a landmark stands for; 0 for one that stands for none.
    """

    vectors: Tensor
    masses: Tensor


@dataclass(frozen=True)
class Refinement:
    """How components are brought nearer to the clicks than the encoder brings them: see `MacridVAE.refined`.

    Attributes:
        step: how far, as a multiple of τ.
        landmarks: None where every item stands for itself.
    """

    step: float
    landmarks: Landmarks | None = None


@dataclass(frozen=True)
class Posterior:
    """q(z | x, C): unit-length means and log variance ratios log(σ² / σ₀²), both (K, B, d)."""

    mean: Tensor
    log_variance_ratio: Tensor


class MacridVAE(nn.Module):
    """Item and context embeddings, prototypes, and the encoder f_nn. Rows need not be unit: every use normalises."""

    def __init__(self, items: int, config: NetworkConfig, generator: torch.Generator) -> None:
        super().__init__()
        self.config = config
        d = config.dimensions
        self.item_embeddings = nn.Parameter(_xavier(items, d, generator))  # h (M, d)
        self.context_embeddings = nn.Parameter(_xavier(items, d, generator))  # t (M, d)
        self.prototypes = nn.Parameter(_xavier(config.concepts, d, generator))  # m (K, d)
        self.input_bias = nn.Parameter(_small(d, generator))  # before the encoder's tanh (d,)
        self.output_weight = nn.Parameter(_xavier(d, 2 * d, generator))  # f_nn's linear layer (d, 2d)
        self.output_bias = nn.Parameter(_small(2 * d, generator))  # (2d,)
        self.refinement: Refinement | None = None  # comes after training, and does not learn

    def unit_items(self, rows: Tensor | None = None) -> Tensor:
        """h_i / |h_i|, (M, d), or (R, d) of these rows; h_i itself where the similarity is the inner product."""
        return self._lengths_taken(_rows(self.item_embeddings, rows))

    def contexts(self, rows: Tensor) -> Tensor:
        """t_i of these rows, (R, d)."""
        return _rows(self.context_embeddings, rows)

    def concept_logits(self, unit_items: Tensor) -> Tensor:
        """s_{i,k} = cos(h_i, m_k) / τ, eq. (6): (M, K)."""
        return unit_items @ self._lengths_taken(self.prototypes).T / self.config.temperature

    def _lengths_taken(self, rows: Tensor) -> Tensor:
        return unit(rows) if self.config.similarity == "cosine" else rows

    def encode(
        self,
        histories: Histories,
        concept_weights: Tensor,
        kept: Tensor | None = None,
        contexts: Tensor | None = None,
    ) -> Posterior:
        """q(z | x, C) for every concept at once; only the clicked rows of t are touched.

        Args:
            histories: of B users.
            concept_weights: C, (M, K), a sample in training and the soft mode otherwise.
            kept: dropout's mask over the clicks of each concept, (E, K) bool; None for no dropout.
            contexts: t, where the items of the histories are positions in another table than the network's own.
        """
        K, d = self.config.concepts, self.config.dimensions
        weights = concept_weights.index_select(0, histories.items)  # (E, K)
        squares = weights.new_zeros(histories.users, K).index_add(0, histories.rows, weights.square())  # (B, K)
        lengths = squares.clamp_min(1e-24).sqrt().index_select(0, histories.rows)
        weights = weights / lengths  # the unit input row of each concept (E, K)
        if kept is not None:
            weights = weights * kept / self.config.keep_probability
        table = self.context_embeddings if contexts is None else contexts
        gathered = weighted_sums(table, weights, histories.items, histories.rows, histories.users)  # (K·B, d)
        output = torch.tanh(gathered + self.input_bias) @ self.output_weight + self.output_bias  # (K·B, 2d)
        output = output.view(K, histories.users, 2 * d)
        return Posterior(unit(output[..., :d]), -output[..., d:])

    @torch.no_grad()
    def refined(
        self, components: Tensor, histories: Histories, log_concept_weights: Tensor, unit_items: Tensor, by: Refinement
    ) -> Tensor:
        """Components after a step uphill on their user's own log likelihood, the mean over what they clicked.

        The encoder has to serve all users with the same few weights; what it leaves to be gained for one user, their clicks
        tell (semi-amortized inference: Kim et al., ICML 2018; Krishnan et al., AISTATS 2018). The gradient, times τ, is what
        was clicked less what was to be expected: Σ_i r_{i,k} h_i / n − Σ_j p_j r_{j,k} h_j, where r are the concepts' shares of
        an item's score and p the model's distribution over all items, for which landmarks may stand.

        Args:
            components: (K, B, d), unit.
            histories: of the B users; who has none stays where they are.
            log_concept_weights: log C, (M, K).
            unit_items: (M, d).
            by: the step.

        Returns:
            (K, B, d), unit.
        """
        temperature, (items, rows) = self.config.temperature, (histories.items, histories.rows)
        clicked = unit_items[items]  # (E, d)
        cosines = torch.stack([(part[rows] * clicked).sum(dim=1) for part in components], dim=1)  # (E, K)
        shares = (cosines / temperature + log_concept_weights[items]).softmax(dim=1)
        clicks = torch.bincount(rows, minlength=histories.users)
        shares = shares / clicks[rows, None]
        met = weighted_sums(unit_items, shares, items, rows, histories.users).view_as(components)
        if by.landmarks is None:
            vectors, log_masses = unit_items, log_concept_weights.T
        else:
            vectors, log_masses = by.landmarks.vectors, by.landmarks.masses.log()
        at_once = max(1, SCORES // log_masses.numel())
        expected = [
            _expected(part, vectors, log_masses, temperature) for part in torch.split(components, at_once, dim=1)
        ]
        moved = unit(components + by.step * (met - torch.cat(expected, dim=1)))
        return torch.where((clicks > 0)[:, None], moved, components)

    def log_scores(self, components: Tensor, unit_items: Tensor, log_concept_weights: Tensor) -> Tensor:
        """Log Σ_k c_{i,k} · exp(cos(z_k, h_i) / τ), eq. (2) before its normaliser Z_u.

        Args:
            components: z, (K, B, d), normalised here.
            unit_items: (M, d).
            log_concept_weights: log C, (M, K).

        Returns:
            (B, M).
        """
        z = F.normalize(components, dim=2)
        cosines = z.flatten(0, 1) @ unit_items.T  # (K·B, M)
        logits = cosines.view(*z.shape[:2], -1) / self.config.temperature + log_concept_weights.T[:, None, :]
        return torch.logsumexp(logits, dim=0)

    @torch.no_grad()
    def components(self, histories: Histories) -> Tensor:
        """What the server computes: soft concepts, no noise, z = μ, refined where there is a refinement. (K, B, d), unit."""
        unit_items = self.unit_items()
        return self._inferred(histories, self.concept_logits(unit_items).log_softmax(dim=1), unit_items)

    def _inferred(self, histories: Histories, log_concept_weights: Tensor, unit_items: Tensor) -> Tensor:
        z = self.encode(histories, log_concept_weights.exp()).mean
        if self.refinement is None:
            return z
        return self.refined(z, histories, log_concept_weights, unit_items, self.refinement)

    @torch.no_grad()
    def score(self, histories: sparse.csr_matrix) -> np.ndarray:
        """Score all items as at test time (soft concepts in encoder and decoder), (B, M) float32. An `evaluation.Scorer`."""
        unit_items = self.unit_items()
        log_weights = self.concept_logits(unit_items).log_softmax(dim=1)
        batch = Histories.from_matrix(histories)
        z = self._inferred(batch, log_weights, unit_items)  # (K, B, d)
        users = max(1, SCORES // (len(z) * len(unit_items)))
        return np.concatenate(
            [self.log_scores(part, unit_items, log_weights).numpy() for part in torch.split(z, users, dim=1)]
        )


def _expected(components: Tensor, vectors: Tensor, log_masses: Tensor, temperature: float) -> Tensor:
    """Σ_j p_j r_{j,k} v_j: (K, b, d) components, vectors (S, d) or (K, S, d), and (K, S) -> (K, b, d)."""
    logits = components @ vectors.mT / temperature + log_masses[:, None, :]  # (K, b, S)
    probabilities = logits.transpose(0, 1).flatten(1).softmax(dim=1)  # (b, K·S)
    return probabilities.view(-1, *log_masses.shape).transpose(0, 1) @ vectors


def unit(vectors: Tensor) -> Tensor:
    """Vectors of length 1 in the last dimension, as `F.normalize` makes them, with a gradient in two passes instead of ten."""
    found: Tensor = _Unit.apply(vectors)  # type: ignore[no-untyped-call]
    return found


class _Unit(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, vectors: Tensor) -> Tensor:
        lengths: Tensor = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True).clamp_min(1e-12)
        found = vectors / lengths
        ctx.save_for_backward(found, lengths)
        return found

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Tensor:
        """What points along a vector changes its length only, which is taken."""
        (grad,) = grad_outputs
        found, lengths = ctx.saved_tensors
        along = torch.linalg.vecdot(grad, found).unsqueeze(-1)
        across: Tensor = torch.addcmul(grad, found, along, value=-1) / lengths
        return across


def _rows(table: Tensor, rows: Tensor | None) -> Tensor:
    """A table, or rows of it, whose gradient is sparse: of their size and not of the table's."""
    return table if rows is None else F.embedding(rows, table, sparse=True)


def _xavier(rows: int, columns: int, generator: torch.Generator) -> Tensor:
    bound = (6.0 / (rows + columns)) ** 0.5
    table: Tensor = (torch.rand(rows, columns, generator=generator) * 2 - 1) * bound
    return table


def _small(size: int, generator: torch.Generator) -> Tensor:
    """A bias as the authors start it: normal with standard deviation 0.001, cut at two of them."""
    bias = torch.empty(size)
    nn.init.trunc_normal_(bias, std=0.001, a=-0.002, b=0.002, generator=generator)
    return bias
