"""RecVAE (Shenbin et al., WSDM 2020): a composite prior, β per user, and encoder and decoder trained in turns.

Letters: B users of a batch, M items. Where the text is silent this follows the authors' code: densely connected encoder with
swish and layer normalisation, no dropout while the decoder learns, the mixture taken for each coordinate by itself.
"""

import copy
import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

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
)
from macrid.model.splitting import Split

LAYERS = 5
NORM_EPS = 0.1
PRIOR_WEIGHTS = (3 / 20, 3 / 4, 1 / 10)  # standard normal, old posterior, wide normal: section 3.3
WIDE_LOG_VARIANCE = 10.0


@dataclass(frozen=True)
class RecVaeConfig(AutoencoderConfig):
    """An epoch is `encoder_passes` over the users for the encoder, then `decoder_passes` for the decoder.

    Attributes:
        hidden: width of the encoder's five layers.
        latent: width of z.
        gamma: β of a user is γ times her number of clicks, section 3.4.
        encoder_passes: in an epoch.
        decoder_passes: in an epoch.
    """

    epochs: int = 100
    patience: int = 20
    learning_rate: float = 5e-4
    hidden: int = 600
    latent: int = 200
    gamma: float = 0.005
    encoder_passes: int = 3
    decoder_passes: int = 1


class Encoder(nn.Module):
    """Five layers, each fed with the sum of all before it; then mean and log variance."""

    def __init__(self, items: int, config: RecVaeConfig, generator: torch.Generator) -> None:
        super().__init__()
        width = config.hidden
        self.input = SparseLinear(*_uniform(items, width, generator))
        self.layers = nn.ModuleList(dense(*_uniform(width, width, generator)) for _ in range(LAYERS - 1))
        self.norms = nn.ModuleList(nn.LayerNorm(width, eps=NORM_EPS) for _ in range(LAYERS))
        self.posterior = dense(*_uniform(width, 2 * config.latent, generator))

    def forward(
        self, clicks: Clicks, keep: float = 1.0, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Mean and log variance of q(z | x), both (B, latent)."""
        last = self.norms[0](F.silu(self.input(clicks, keep, generator)))  # (B, hidden)
        earlier = torch.zeros_like(last)
        for layer, norm in zip(self.layers, list(self.norms)[1:], strict=True):
            earlier = earlier + last
            last = norm(F.silu(layer(last) + earlier))
        mean, log_variance = self.posterior(last).chunk(2, dim=1)
        return mean, log_variance


class RecVae(Autoencoder):
    """The encoder, a copy of it from before (the old posterior in the prior), and a linear decoder."""

    def __init__(self, items: int, config: RecVaeConfig, generator: torch.Generator) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(items, config, generator)
        self.old_encoder = Encoder(items, config, generator).requires_grad_(False)
        self.decoder = dense(*_uniform(config.latent, items, generator))

    def logits(self, clicks: Clicks) -> Tensor:
        """Of the posterior mean, (B, M)."""
        logits: Tensor = self.decoder(self.encoder(clicks)[0])
        return logits

    def loss(self, clicks: Clicks, keep: float, generator: torch.Generator) -> Tensor:
        """Mean over users of −log p(x | z) + γ · clicks · (log q(z | x) − log p(z | old q)), one z drawn for each."""
        mean, log_variance = self.encoder(clicks, keep, generator)
        noise = torch.randn(mean.shape, generator=generator)
        z = mean + noise * torch.exp(0.5 * log_variance)
        with torch.no_grad():
            old = self.old_encoder(clicks)
        kl = (log_normal(z, mean, log_variance) - log_prior(z, *old)).sum(dim=1)  # (B,), estimated from z
        return (negative_log_likelihood(self.decoder(z), clicks) + self.config.gamma * clicks.counts * kl).mean()

    def update_prior(self) -> None:
        """Make the encoder as it is now the old posterior."""
        self.old_encoder.load_state_dict(copy.deepcopy(self.encoder.state_dict()))

    @staticmethod
    def fit(split: Split, config: RecVaeConfig, on_epoch: OnEpoch | None = None) -> "RecVae":
        """Train on the split's training users; keep the epoch that ranks its validation users best."""
        generator = torch.Generator().manual_seed(config.seed)
        network = RecVae(split.training.shape[1], config, generator)
        of_encoder = torch.optim.Adam(network.encoder.parameters(), lr=config.learning_rate)
        of_decoder = torch.optim.Adam(network.decoder.parameters(), lr=config.learning_rate)

        def train_pass(optimizer: torch.optim.Optimizer, keep: float) -> None:
            for clicks in batches(split.training, config.batch_size, generator):
                step(optimizer, network.loss(clicks, keep, generator))

        def train_epoch(number: int) -> None:
            network.decoder.requires_grad_(False)
            for _ in range(config.encoder_passes):
                train_pass(of_encoder, config.keep_probability)
            network.decoder.requires_grad_(True)
            network.update_prior()
            network.encoder.requires_grad_(False)
            for _ in range(config.decoder_passes):
                train_pass(of_decoder, 1.0)
            network.encoder.requires_grad_(True)

        keep_best(network, train_epoch, split.validation, config, on_epoch)
        return network


def log_normal(z: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """Log density of N(mean, exp(log_variance)) for each coordinate, in the shape of z."""
    return -0.5 * (log_variance + math.log(2 * math.pi) + (z - mean).square() / log_variance.exp())


def log_prior(z: Tensor, old_mean: Tensor, old_log_variance: Tensor) -> Tensor:
    """Log of the composite prior for each coordinate: 3/20 N(0, 1) + 3/4 old posterior + 1/10 N(0, e¹⁰), (B, latent)."""
    zero = torch.zeros_like(z)
    densities = (
        log_normal(z, zero, zero),
        log_normal(z, old_mean, old_log_variance),
        log_normal(z, zero, zero + WIDE_LOG_VARIANCE),
    )
    weighted = [density + math.log(weight) for density, weight in zip(densities, PRIOR_WEIGHTS, strict=True)]
    return torch.stack(weighted).logsumexp(dim=0)


def _uniform(inputs: int, outputs: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Weight (inputs, outputs) and bias within ±1/√inputs, as torch starts its layers, whose code the authors use."""
    bound = inputs**-0.5
    weight, bias = torch.rand(inputs, outputs, generator=generator), torch.rand(outputs, generator=generator)
    return (weight * 2 - 1) * bound, (bias * 2 - 1) * bound
