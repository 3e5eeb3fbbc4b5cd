"""Licence and paper of well-known weights for sound, by hub id and by torchaudio's names, and how wide their vectors are."""

from fnmatch import fnmatch
from typing import NamedTuple

_UNSTATED = "as the weights' page states"
_CLAP = "Wu et al. 2023, arXiv:2211.06687"
_AST = "Gong et al. 2021, arXiv:2104.01778"
_WAV2VEC2 = "Baevski et al. 2020, arXiv:2006.11477"
_HUBERT = "Hsu et al. 2021, arXiv:2106.07447"
_XLSR53 = "Conneau et al. 2020, arXiv:2006.13979"
_XLSR = "Babu et al. 2021, arXiv:2111.09296"
_WAVLM = "Chen et al. 2021, arXiv:2110.13900"
_VOXPOPULI = "Wang et al. 2021, arXiv:2101.00390"
YAMNET = ("Apache-2.0", "Gemmeke et al. 2017, 10.1109/ICASSP.2017.7952261; Howard et al. 2017, arXiv:1704.04861")

# Pattern of a hub id in lower case -> licence of its page, paper. The first that fits counts.
_WEIGHTS = (
    ("laion/*clap*", "Apache-2.0", _CLAP),
    ("mit/ast-*", "BSD-3-Clause", _AST),
    ("facebook/wav2vec2-xls-r-*", "Apache-2.0", _XLSR),
    ("facebook/wav2vec2-large-xlsr-53*", "Apache-2.0", _XLSR53),
    ("facebook/wav2vec2-*", "Apache-2.0", _WAV2VEC2),
    ("facebook/hubert-*", "Apache-2.0", _HUBERT),
    ("facebook/data2vec-audio-*", "Apache-2.0", "Baevski et al. 2022, arXiv:2202.03555"),
    ("microsoft/wavlm-*", _UNSTATED, _WAVLM),
    ("ntu-spml/distilhubert", "Apache-2.0", "Chang et al. 2021, arXiv:2110.01900"),
)
# ``model_type`` of a folder's config.json -> paper of the architecture; whose weights they are, the folder does not say.
_ARCHITECTURES = {
    "clap": _CLAP,
    "audio-spectrogram-transformer": _AST,
    "wav2vec2": _WAV2VEC2,
    "hubert": _HUBERT,
    "wavlm": _WAVLM,
}


def of_weights(model: str, architecture: str | None = None) -> tuple[str, str]:
    """Licence and paper of a hub id; else the paper of its architecture (``model_type``), else where they are stated.

    >>> of_weights("facebook/hubert-base-ls960")
    ('Apache-2.0', 'Hsu et al. 2021, arXiv:2106.07447')
    """
    found = next(((licence, paper) for pattern, licence, paper in _WEIGHTS if fnmatch(model.lower(), pattern)), None)
    return found or (_UNSTATED, _ARCHITECTURES.get(architecture or "", _UNSTATED))


class Pipeline(NamedTuple):
    """What torchaudio calls a bundle: its weight file, and the width of what its transformer gives."""

    file: str
    width: int
    paper: str
    licence: str = "MIT"


_NC = "CC-BY-NC-4.0"
# Models of torchaudio.pipelines that turn a waveform into vectors; the rest of that module speaks, separates or judges.
PIPELINES = {
    "WAV2VEC2_BASE": Pipeline("wav2vec2_fairseq_base_ls960.pth", 768, _WAV2VEC2),
    "WAV2VEC2_LARGE": Pipeline("wav2vec2_fairseq_large_ls960.pth", 1024, _WAV2VEC2),
    "WAV2VEC2_LARGE_LV60K": Pipeline("wav2vec2_fairseq_large_lv60k.pth", 1024, _WAV2VEC2),
    "WAV2VEC2_ASR_BASE_10M": Pipeline("wav2vec2_fairseq_base_ls960_asr_ll10m.pth", 768, _WAV2VEC2),
    "WAV2VEC2_ASR_BASE_100H": Pipeline("wav2vec2_fairseq_base_ls960_asr_ls100.pth", 768, _WAV2VEC2),
    "WAV2VEC2_ASR_BASE_960H": Pipeline("wav2vec2_fairseq_base_ls960_asr_ls960.pth", 768, _WAV2VEC2),
    "WAV2VEC2_ASR_LARGE_10M": Pipeline("wav2vec2_fairseq_large_ls960_asr_ll10m.pth", 1024, _WAV2VEC2),
    "WAV2VEC2_ASR_LARGE_100H": Pipeline("wav2vec2_fairseq_large_ls960_asr_ls100.pth", 1024, _WAV2VEC2),
    "WAV2VEC2_ASR_LARGE_960H": Pipeline("wav2vec2_fairseq_large_ls960_asr_ls960.pth", 1024, _WAV2VEC2),
    "WAV2VEC2_ASR_LARGE_LV60K_10M": Pipeline("wav2vec2_fairseq_large_lv60k_asr_ll10m.pth", 1024, _WAV2VEC2),
    "WAV2VEC2_ASR_LARGE_LV60K_100H": Pipeline("wav2vec2_fairseq_large_lv60k_asr_ls100.pth", 1024, _WAV2VEC2),
    "WAV2VEC2_ASR_LARGE_LV60K_960H": Pipeline("wav2vec2_fairseq_large_lv60k_asr_ls960.pth", 1024, _WAV2VEC2),
    "WAV2VEC2_XLSR53": Pipeline("wav2vec2_fairseq_large_xlsr53.pth", 1024, _XLSR53),
    "WAV2VEC2_XLSR_300M": Pipeline("wav2vec2_xlsr_300m.pth", 1024, _XLSR),
    "WAV2VEC2_XLSR_1B": Pipeline("wav2vec2_xlsr_1b.pth", 1280, _XLSR),
    "WAV2VEC2_XLSR_2B": Pipeline("wav2vec2_xlsr_2b.pth", 1920, _XLSR),
    "VOXPOPULI_ASR_BASE_10K_EN": Pipeline("wav2vec2_voxpopuli_base_10k_asr_en.pt", 768, _VOXPOPULI, _NC),
    "VOXPOPULI_ASR_BASE_10K_ES": Pipeline("wav2vec2_voxpopuli_base_10k_asr_es.pt", 768, _VOXPOPULI, _NC),
    "VOXPOPULI_ASR_BASE_10K_DE": Pipeline("wav2vec2_voxpopuli_base_10k_asr_de.pt", 768, _VOXPOPULI, _NC),
    "VOXPOPULI_ASR_BASE_10K_FR": Pipeline("wav2vec2_voxpopuli_base_10k_asr_fr.pt", 768, _VOXPOPULI, _NC),
    "VOXPOPULI_ASR_BASE_10K_IT": Pipeline("wav2vec2_voxpopuli_base_10k_asr_it.pt", 768, _VOXPOPULI, _NC),
    "HUBERT_BASE": Pipeline("hubert_fairseq_base_ls960.pth", 768, _HUBERT),
    "HUBERT_LARGE": Pipeline("hubert_fairseq_large_ll60k.pth", 1024, _HUBERT),
    "HUBERT_XLARGE": Pipeline("hubert_fairseq_xlarge_ll60k.pth", 1280, _HUBERT),
    "HUBERT_ASR_LARGE": Pipeline("hubert_fairseq_large_ll60k_asr_ls960.pth", 1024, _HUBERT),
    "HUBERT_ASR_XLARGE": Pipeline("hubert_fairseq_xlarge_ll60k_asr_ls960.pth", 1280, _HUBERT),
    "WAVLM_BASE": Pipeline("wavlm_base.pth", 768, _WAVLM),
    "WAVLM_BASE_PLUS": Pipeline("wavlm_base_plus.pth", 768, _WAVLM),
    "WAVLM_LARGE": Pipeline("wavlm_large.pth", 1024, _WAVLM),
}
