"""What is minimised, as the training loop takes it: a batch -> a sum over what is to be learnt in it."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from shared.training.packing import IGNORED


class CTCLoss(nn.Module):
    """Connectionist temporal classification (https://www.cs.toronto.edu/~graves/icml_2006.pdf), summed over letters.

    A clip that is shorter than its text counts nothing.
    """

    def __init__(self, model: Any, blank: int = 0) -> None:
        super().__init__()
        self.model = model
        self.blank = blank

    def forward(self, labels: Tensor, **inputs: Tensor) -> Tensor:
        """`labels` (B, L), IGNORED at the end; `attention_mask` (B, T) of the inputs says how long each is."""
        logits, _ = self.logits(**inputs)
        return self.loss(logits, labels, inputs["attention_mask"].sum(1))

    def logits(self, **inputs: Any) -> tuple[Tensor, Any]:
        made = self.model(**inputs)
        return made.logits.float(), made.hidden_states

    def loss(self, logits: Tensor, labels: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, V), (B, L), (B,)"""
        return F.ctc_loss(
            logits.log_softmax(-1).transpose(0, 1),
            labels.clamp(min=0),
            lengths,
            (labels != IGNORED).sum(1),
            blank=self.blank,
            reduction="sum",
            zero_infinity=True,
        )


class HeardLoss(nn.Module):
    """CTC over the letters, and in the middle of the network what phoneme each frame is, where that is known.

    The second is dense where CTC's is sparse: the lower half learns sounds at once, and no time goes by until an
    alignment is found (https://arxiv.org/abs/2102.03216 does the same with CTC at both places).
    """

    SHARE = 0.5
    """Of the phonemes' loss per frame, in the sum over letters."""

    def __init__(self, model: Any, layer: int, phonemes: int, blank: int = 0) -> None:
        super().__init__()
        self.model = model
        self.layer = layer
        self.ctc = CTCLoss(model, blank)
        self.head = nn.Linear(model.config.hidden_size, phonemes)

    def forward(self, labels: Tensor, phonemes: Tensor | None = None, **inputs: Tensor) -> Tensor:
        """`phonemes` (B, T) numbers, IGNORED behind the end."""
        if phonemes is None or not self.training:
            return self.ctc(labels, **inputs)
        logits, hidden = self.ctc.logits(output_hidden_states=True, **inputs)
        dense = F.cross_entropy(
            self.head(hidden[self.layer]).flatten(0, 1), phonemes.flatten(), ignore_index=IGNORED, reduction="sum"
        )
        return self.ctc.loss(logits, labels, inputs["attention_mask"].sum(1)) + self.SHARE * dense


class VoiceLoss(nn.Module):
    """FastSpeech 2's (https://arxiv.org/abs/2006.04558): spectrogram, durations, pitch and energy, per frame.

    The model's own forward has two courses by `training`, of which only one has a loss: that one is taken always, and
    what really differs (batch normalisation, dropout) follows this module.
    """

    def __init__(self, model: Any, frozen_norms: bool = False) -> None:
        """`frozen_norms`: batch normalisation by what the base saw, since an adapter holds no running means."""
        super().__init__()
        self.model = model
        self.frozen_norms = frozen_norms

    def train(self, mode: bool = True) -> "VoiceLoss":
        super().train(mode)
        for part in self.modules() if self.frozen_norms else ():
            if isinstance(part, nn.modules.batchnorm._BatchNorm):
                part.eval()
        return self

    def forward(self, **batch: Tensor) -> Tensor:
        whole = self.model.get_base_model() if hasattr(self.model, "get_base_model") else self.model
        for part in (whole, whole.duration_predictor):
            part.training = True
        frames = (batch["spectrogram_labels"] != IGNORED).any(-1).sum()
        return self.model(**batch).loss * frames


def spectral_loss(made: Tensor, wanted: Tensor, sizes: tuple[int, ...] = (128, 256, 512, 1024, 2048)) -> Tensor:
    """Of waveforms (B, N): spectral convergence and log magnitudes at several resolutions, their mean.

    Parallel WaveGAN (https://arxiv.org/abs/1910.11480).
    """
    losses: list[Tensor] = []
    for size in sizes:
        window = torch.hann_window(size, device=made.device)
        a, b = (
            torch.stft(x, size, size // 4, window=window, return_complex=True).abs().clamp(min=1e-4)
            for x in (made, wanted)
        )
        losses.append((a.log() - b.log()).abs().mean() + (a - b).norm() / b.norm())
    return torch.stack(losses).mean()
