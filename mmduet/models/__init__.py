"""Students, teachers and distillation."""
from mmduet.models.base_grounder import BaseGrounder
from mmduet.models.data_preprocessor import GroundingDataPreprocessor
from mmduet.models.distill import DistilledGrounder, DUETHead
from mmduet.models.score_heads import AgreementScoreHead, IoUScoreHead
from mmduet.models.students import CLIPVG, VLTVG, QRNet, TransVG

__all__ = ['CLIPVG', 'VLTVG', 'AgreementScoreHead', 'BaseGrounder', 'DUETHead', 'DistilledGrounder',
           'GroundingDataPreprocessor', 'IoUScoreHead', 'QRNet', 'TransVG']
