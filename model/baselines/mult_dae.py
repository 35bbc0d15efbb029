"""MultDAE: a denoising autoencoder with a multinomial likelihood (Liang et al., WWW 2018, section 2.4)."""

from dataclasses import dataclass

import torch
from torch import Tensor

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
    xavier,
)
from macrid.model.splitting import Split


@dataclass(frozen=True)
class MultDaeConfig(AutoencoderConfig):
    """The published network is M → 200 → M.

    Attributes:
        latent: width of the one hidden layer.
        weight_decay: λ of the penalty λ / B · Σ ‖W‖² on the weights, as the authors' code has it.
    """

    latent: int = 200
    weight_decay: float = 0.01


class MultDae(Autoencoder):
    """W₂ᵀ tanh(W₁ᵀ x + b₁) + b₂ of a unit input row x."""

    def __init__(self, items: int, config: MultDaeConfig, generator: torch.Generator) -> None:
        super().__init__()
        self.config = config
        self.encoder = SparseLinear(*xavier(items, config.latent, generator))
        self.decoder = dense(*xavier(config.latent, items, generator))

    def logits(self, clicks: Clicks) -> Tensor:
        """(B, M)."""
        return self._decode(self.encoder(clicks))

    def _decode(self, hidden: Tensor) -> Tensor:
        logits: Tensor = self.decoder(torch.tanh(hidden))
        return logits

    def loss(self, clicks: Clicks, generator: torch.Generator) -> Tensor:
        """Mean negative log-likelihood of the whole rows, seen through dropout, and the penalty."""
        hidden = self.encoder(clicks, self.config.keep_probability, generator)
        likelihood = negative_log_likelihood(self._decode(hidden), clicks)
        penalty = self.encoder.weight.square().sum() + self.decoder.weight.square().sum()
        return likelihood.mean() + self.config.weight_decay / len(clicks.counts) * penalty

    @staticmethod
    def fit(split: Split, config: MultDaeConfig, on_epoch: OnEpoch | None = None) -> "MultDae":
        """Train on the split's training users; keep the epoch that ranks its validation users best."""
        generator = torch.Generator().manual_seed(config.seed)
        network = MultDae(split.training.shape[1], config, generator)
        optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate)

        def train_epoch(number: int) -> None:
            for clicks in batches(split.training, config.batch_size, generator):
                step(optimizer, network.loss(clicks, generator))

        keep_best(network, train_epoch, split.validation, config, on_epoch)
        return network
