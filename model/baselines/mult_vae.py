"""β-MultVAE: a variational autoencoder with a multinomial likelihood and an annealed KL term (Liang et al., WWW 2018)."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from macrid.artifacts.schema import Float32Array
from macrid.model.baselines.autoencoder import (
    Autoencoder,
    AutoencoderConfig,
    Clicks,
    OnEpoch,
    SparseLinear,
    batches,
    dense,
    keep_best,
    negative_log_likelihood,
    step,
    updates_per_epoch,
    xavier,
)
from macrid.model.objective import annealed_beta
from macrid.model.splitting import Split

USERS_AT_ONCE = 1_000


@dataclass(frozen=True)
class MultVaeConfig(AutoencoderConfig):
    """The published network is M → 600 → 200 → 600 → M.

    In Figure 4 of the MacridVAE paper, β-MultVAE(d, d') has hidden = d, so that its item rows are (M, d), and latent = d'.

    Attributes:
        hidden: width of the layer before the latent one and of the layer after it, whose weights to the items are their rows.
        latent: width of z.
        beta: weight of the KL term once annealed; 0.2 is the published best, β ≫ 1 asks for independent dimensions.
        anneal_epochs: β grows linearly and would reach 1 after so many epochs, as for MacridVAE.
    """

    hidden: int = 600
    latent: int = 200
    beta: float = 0.2
    anneal_epochs: int = 5


class BetaMultVae(Autoencoder):
    """Encoder q(z | x) = N(μ, σ²) and decoder, each with one tanh layer between."""

    def __init__(self, items: int, config: MultVaeConfig, generator: torch.Generator) -> None:
        super().__init__()
        self.config = config
        self.input = SparseLinear(*xavier(items, config.hidden, generator))
        self.posterior = dense(*xavier(config.hidden, 2 * config.latent, generator))
        self.hidden = dense(*xavier(config.latent, config.hidden, generator))
        self.output = dense(*xavier(config.hidden, items, generator))

    def encode(self, clicks: Clicks, dropout: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Mean and log variance of q(z | x), both (B, latent); `dropout` draws the masks, None for none."""
        keep = 1.0 if dropout is None else self.config.keep_probability
        mean, log_variance = self.posterior(torch.tanh(self.input(clicks, keep, dropout))).chunk(2, dim=1)
        return mean, log_variance

    def decode(self, z: Tensor) -> Tensor:
        """(B, latent) -> logits (B, M)."""
        logits: Tensor = self.output(torch.tanh(self.hidden(z)))
        return logits

    def logits(self, clicks: Clicks) -> Tensor:
        """Of the posterior mean, (B, M)."""
        return self.decode(self.encode(clicks)[0])

    def loss(self, clicks: Clicks, beta: float, generator: torch.Generator) -> Tensor:
        """Mean over users of −log p(x | z) + β · KL(q ‖ N(0, I)), one z drawn for each."""
        mean, log_variance = self.encode(clicks, generator)
        noise = torch.randn(mean.shape, generator=generator)
        logits = self.decode(mean + noise * torch.exp(0.5 * log_variance))
        return (negative_log_likelihood(logits, clicks) + beta * kl_to_standard_normal(mean, log_variance)).mean()

    @torch.no_grad()
    def users(self, histories: sparse.csr_matrix) -> Float32Array:
        """Posterior means, (U, latent) float32: the representation of users whose independence Figure 4 measures."""
        rows = range(0, histories.shape[0], USERS_AT_ONCE)
        parts = [self.encode(Clicks.of(histories[at : at + USERS_AT_ONCE]))[0].numpy() for at in rows]
        return np.concatenate(parts)

    def item_rows(self) -> Float32Array:
        """Each item's weights from the last hidden layer, (M, hidden) float32: the representation of items in Figure 4."""
        return self.output.weight.detach().numpy().copy()

    @staticmethod
    def fit(split: Split, config: MultVaeConfig, on_epoch: OnEpoch | None = None) -> "BetaMultVae":
        """Train on the split's training users; keep the epoch that ranks its validation users best."""
        generator = torch.Generator().manual_seed(config.seed)
        network = BetaMultVae(split.training.shape[1], config, generator)
        optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate)
        per_epoch = updates_per_epoch(split.training.shape[0], config.batch_size)

        def train_epoch(number: int) -> None:
            for at, clicks in enumerate(batches(split.training, config.batch_size, generator)):
                updates = (number - 1) * per_epoch + at
                beta = annealed_beta(config.beta, updates, config.anneal_epochs * per_epoch)
                step(optimizer, network.loss(clicks, beta, generator))

        keep_best(network, train_epoch, split.validation, config, on_epoch)
        return network


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(μ, σ²) ‖ N(0, I)) of each user, (B,), from (B, latent)."""
    return 0.5 * (log_variance.exp() + mean.square() - 1 - log_variance).sum(dim=1)
