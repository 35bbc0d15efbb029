"""What a batch of users is asked to predict: their clicks, each user with a weight, and what a teacher adds to the clicks.

In the paper every click counts alike, so that a user with a thousand clicks weighs as much as a hundred with ten, while
measures of accuracy are means over users. `balance` makes long histories count less.

With a teacher the network is asked what the measures ask: the encoder sees a part of a history, and the rest of it is to be found
among all items that are not in that part. A share of the target is the teacher's opinion of all those items, EASE's (Steck,
WWW 2019): what follows from every pair of items that people had together, which no vector of d numbers can hold, but a network
can learn to come near. EASE would know a user whom it was fitted to. So each user is asked of an EASE that was fitted to all the
others, which takes no more than one fit.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from macrid.model.baselines.ease import LeaveOneOut
from macrid.model.network import Histories

Opinion = Literal["softmax", "square"]
TEACHER_TEMPERATURE = 0.1  # of 0.02 to 0.2 what gives withheld items of validation users the highest likelihood
LEAST_SCORE = 0.01  # added to scores before they are squared, so that nothing is impossible


@dataclass(frozen=True)
class Targets:
    """What B users are to be asked for beside their clicks.

    Attributes:
        shares: (B, M) how much of a user's target each item is; 0 for what is left out.
        left_out: clicks that are no part of the question: they are in no normaliser.
    """

    shares: Tensor
    left_out: Histories

    def part(self, users: slice) -> "Targets":
        """Those of consecutive users."""
        return Targets(self.shares[users], self.left_out.part(users))


class Teacher:
    """EASE, asked about each user as if it had been fitted without them."""

    def __init__(self, training: sparse.csr_matrix, regularization: float, opinion: Opinion = "softmax") -> None:
        """Fit it.

        Args:
            training: (U, M).
            regularization: λ.
            opinion: what scores become: "softmax" of ten times them, or in proportion to the "square" of what is above 0,
                which is sharper where histories are short and scores small.

        Raises:
            DataError: too many users and items for EASE, or too small a λ.
        """
        self.items = training.shape[1]
        self._fit = LeaveOneOut.of(training, regularization=regularization)
        self._opinion = opinion

    def opinion(self, seen: Histories, rows: Tensor) -> Tensor:
        """Of what users may click beside what is seen of them: (B, M), a distribution for each, 0 for what is seen.

        Args:
            seen: some clicks of B users.
            rows: (B,) which training users they are.
        """
        scores = self._fit.score(seen.to_matrix(self.items), rows.numpy())
        opinion = torch.from_numpy(scores)
        if self._opinion == "softmax":
            opinion[seen.rows, seen.items] = -torch.inf
            return opinion.div_(TEACHER_TEMPERATURE).softmax(dim=1)
        opinion.clamp_min_(0.0).add_(LEAST_SCORE).square_()
        opinion[seen.rows, seen.items] = 0.0
        return opinion.div_(opinion.sum(dim=1, keepdim=True))


@dataclass(frozen=True)
class Question:
    """What training users are asked, said once for all batches: weights of users, and the teacher with its share.

    Attributes:
        weights: (U,) of users' log likelihoods, with which clicks have weights of 1 on average; None for 1 each.
        teacher: None for none.
        share: of every target that the teacher sets.
    """

    weights: Tensor | None = None
    teacher: Teacher | None = None
    share: float = 0.0

    @staticmethod
    def of(
        training: sparse.csr_matrix, balance: float, share: float, regularization: float, opinion: Opinion = "softmax"
    ) -> "Question":
        """The question that settings of training say: see `TrainingConfig`."""
        clicks = np.maximum(np.diff(training.indptr), 1).astype(np.float64)  # (U,)
        weights = clicks**-balance * clicks.sum() / (clicks ** (1 - balance)).sum()
        return Question(
            torch.from_numpy(weights.astype(np.float32)) if balance else None,
            Teacher(training, regularization, opinion) if share else None,
            share,
        )

    def of_users(self, rows: Tensor) -> "BatchQuestion":
        """The question to these training users, (B,)."""
        return BatchQuestion(self, rows)


@dataclass(frozen=True)
class BatchQuestion:
    """The question to a batch of users: `rows` (B,) of the training matrix."""

    question: Question
    rows: Tensor

    @property
    def weights(self) -> Tensor | None:
        """(B,) of their log likelihoods; None for 1 each."""
        return None if self.question.weights is None else self.question.weights[self.rows]

    @property
    def taught(self) -> bool:
        """Whether there is a teacher, and the encoder sees a part of each history only."""
        return self.question.teacher is not None

    def part(self, users: slice) -> "BatchQuestion":
        """That to consecutive users."""
        return BatchQuestion(self.question, self.rows[users])

    def targets(self, histories: Histories, seen: Tensor) -> Targets:
        """What is asked when some clicks are seen, (E,) bool: of each user the mass of all their clicks.

        Of a user of whom every item is seen nothing would be left to ask: they are asked as if nothing were.
        """
        teacher, share = self.question.teacher, self.question.share
        assert teacher is not None
        count = torch.bincount(histories.rows[seen], minlength=histories.users)
        seen = seen & (count < teacher.items)[histories.rows]
        known = histories.only(seen)
        opinion = teacher.opinion(known, self.rows)  # (B, M)
        asked = histories.only(~seen)
        clicks = torch.zeros_like(opinion)
        clicks[asked.rows, asked.items] = 1.0
        clicks /= clicks.sum(dim=1, keepdim=True).clamp_min(1.0)
        shares = torch.lerp(clicks, opinion, share)
        shares *= torch.bincount(histories.rows, minlength=histories.users)[:, None]
        return Targets(shares, known)
