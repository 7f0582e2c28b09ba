"""Checkpoints of other projects, key by key, to our names."""
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Layout:
    """How another project names its weights."""

    name: str
    marks: tuple[str, ...]  # a checkpoint has this layout if every mark begins one of its keys
    prefixes: Mapping[str, str]  # their prefix to ours; the first that fits is used
    ignored: tuple[str, ...] = ()  # prefixes of keys that our model does not have, by design
    finish: Callable[[str, Tensor], tuple[str, Tensor]] | None = None  # then maps our keys and their tensors to the final ones

    def fits(self, weights: Mapping[str, Tensor]) -> bool:
        """Whether a state dict has this layout."""
        return all(any(key.startswith(mark) for key in weights) for mark in self.marks)


_FUSION = {'reg_token.': 'query_token.', 'vl_pos_embed.': 'positions.', 'visu_proj.': 'visual_proj.',
           'text_proj.': 'text_proj.', 'vl_transformer.encoder.': 'fusion.', 'bbox_embed.': 'box_head.'}

TRANSVG = Layout(
    'transvg',
    marks=('visumodel.backbone.0.body.', 'textmodel.', 'vl_transformer.'),
    prefixes={
        'visumodel.backbone.0.body.': 'visual_encoder.backbone.',
        'visumodel.input_proj.': 'visual_encoder.input_proj.',
        'visumodel.transformer.encoder.': 'visual_encoder.encoder.',
        'textmodel.bert.': 'text_encoder.bert.', **_FUSION})

DETR = Layout(
    'detr',
    marks=('backbone.0.body.', 'transformer.encoder.', 'transformer.decoder.', 'class_embed.'),
    prefixes={
        'backbone.0.body.': 'visual_encoder.backbone.',
        'input_proj.': 'visual_encoder.input_proj.',
        'transformer.encoder.': 'visual_encoder.encoder.'},
    ignored=('transformer.decoder.', 'class_embed.', 'bbox_embed.', 'query_embed.'))

_VERIFIER = {
    'img2text_attn.': 'word_attention.', 'text_proj.layers.0.': 'word_proj.', 'img_proj.layers.0.': 'cell_proj.',
    'tf_scale': 'scale', 'tf_sigma': 'sigma', 'img2textcond_attn.': 'condition_attention.',
    'img2img_attn.': 'context_attention.', 'norm_img.': 'cell_norm.', 'norm_text_cond_img.': 'context_norm.'}
VLTVG = Layout(
    'vltvg',
    marks=('backbone.0.body.', 'trans_encoder.', 'trans_decoder.', 'bert_proj.'),
    prefixes={
        'backbone.0.body.': 'visual_encoder.backbone.',
        'input_proj.': 'visual_encoder.input_proj.',
        'trans_encoder.encoder.': 'visual_encoder.encoder.',
        'bert.': 'text_encoder.bert.',
        'bert_proj.': 'text_proj.',
        **{f'trans_decoder.decoder.extra_encoder_layers.0.{theirs}': f'verifier.{ours}' for theirs, ours in _VERIFIER.items()},
        'trans_decoder.decoder.layers.': 'decoder.layers.',
        'trans_decoder.decoder.norm.': 'decoder.norm.',
        'trans_decoder.decoder.vis_query_embed.': 'decoder.visual_query.',
        'trans_decoder.decoder.text_query_embed.': 'decoder.word_query.',
        'bbox_embed.': 'box_head.'})

_CLIP_TEXT = ('token_embedding.', 'positional_embedding', 'transformer.', 'ln_final.', 'text_projection')
CLIP_VG = Layout(
    'clip_vg',
    marks=('clip.visual.', 'clip.transformer.', 'ml_visu_proj.', 'vl_transformer.'),
    prefixes={
        'clip.visual.': 'visual_encoder.tower.',
        **{f'clip.{name}': f'text_encoder.tower.{name}' for name in _CLIP_TEXT},
        **{theirs: ours for theirs, ours in _FUSION.items() if theirs != 'visu_proj.'}, 'ml_visu_proj.': 'visual_proj.'},
    # The towers a second time under other names, what makes CLIP's embeddings of whole images, a layer that nothing uses.
    ignored=('image_encoder_clip_vg.', 'text_encoder_clip_vg.', 'clip.visual.ln_post.', 'clip.visual.proj', 'clip.logit_scale',
             'visu_proj.'))

OPEN_CLIP = Layout(
    'open_clip',
    marks=('visual.conv1.', 'visual.transformer.', 'token_embedding.', 'transformer.resblocks.'),
    prefixes={'visual.': 'visual_encoder.tower.', **{name: f'text_encoder.tower.{name}' for name in _CLIP_TEXT}},
    ignored=('visual.ln_post.', 'visual.proj', 'logit_scale', 'input_resolution', 'context_length', 'vocab_size'))

# Names of the first Swin, and of QRNet's query-modulated attention in it, to those of MMDetection 3 and ours.
_SWIN_NAMES = (
    (r'^backbone\.layers\.(\d+)\.qdatt\.', r'stage_gates.\1.'),
    (r'^pool_gates\.(\d+)\.qdatt\.', r'pool_gates.\1.'),
    (r'\.ChannelGate\.mlp\.0\.decoder\.', '.channel_hidden.'),
    (r'\.ChannelGate\.mlp\.2\.decoder\.', '.channel_out.'),
    (r'\.SpatialGate\.spatial\.decoder\.', '.spatial.'),
    (r'^((?:stage|pool)_gates\..*\.)decoder\.', r'\1factor.'),
    (r'^((?:stage|pool)_gates\..*\.)V$', r'\1basis'),
    (r'^laterals\.(\d+)\.conv\.', r'laterals.\1.'),
    (r'^backbone\.patch_embed\.proj\.', 'backbone.patch_embed.projection.'),
    (r'^(backbone\.layers\..*)\.attn\.', r'\1.attn.w_msa.'),
    (r'^(backbone\.layers\..*)\.mlp\.fc1\.', r'\1.ffn.layers.0.0.'),
    (r'^(backbone\.layers\..*)\.mlp\.fc2\.', r'\1.ffn.layers.1.'),
    (r'^backbone\.layers\.', 'backbone.stages.'),
)


def _modernise_swin(key: str, value: Tensor) -> tuple[str, Tensor]:
    """Give a tensor of the first Swin its name in MMDetection 3, and the numbers of patch merging their order there."""
    merging = re.match(r'backbone\.layers\.\d+\.downsample\.', key)
    for pattern, name in _SWIN_NAMES:
        key = re.sub(pattern, name, key)
    if merging:
        # Merged patches came one after the other, column by column; now channel by channel, row by row.
        value = value.view(*value.shape[:-1], 2, 2, -1).movedim(-1, -3).transpose(-1, -2).flatten(-3)
    return key, value


QRNET = Layout(
    'qrnet',
    marks=('visumodel.backbone.layers.', 'visumodel.neck.fpn_down.', 'textmodel.', 'scale_embed.'),
    prefixes={
        'visumodel.backbone.': 'backbone.',
        'visumodel.neck.lateral_convs.': 'laterals.',
        'visumodel.neck.fpn_down.': 'pool_gates.',
        'textmodel.bert.': 'text_encoder.bert.',
        'scale_embed.': 'levels.', **_FUSION},
    ignored=('visumodel.rpn_head.', ),
    finish=_modernise_swin)

SWIN_MASK_RCNN = Layout(
    'swin_mask_rcnn',
    marks=('backbone.patch_embed.', 'backbone.norm0.', 'neck.lateral_convs.', 'roi_head.'),
    prefixes={'backbone.': 'backbone.', 'neck.lateral_convs.': 'laterals.'},
    ignored=('neck.fpn_convs.', 'rpn_head.', 'roi_head.'),
    finish=_modernise_swin)

LAYOUTS = {layout.name: layout for layout in (TRANSVG, VLTVG, QRNET, CLIP_VG, DETR, SWIN_MASK_RCNN, OPEN_CLIP)}
# Counters and tables that some versions of a library store and ours computes.
COMPUTED = ('num_batches_tracked', 'embeddings.position_ids')


def recognise(weights: Mapping[str, Tensor]) -> Layout:
    """Return the layout that a state dict has, which must be one of those we know."""
    for layout in LAYOUTS.values():
        if layout.fits(weights):
            return layout
    heads = sorted({key.split('.')[0] for key in weights})
    raise ValueError(f'unknown checkpoint layout with {", ".join(heads[:8])}; known: {", ".join(LAYOUTS)}')


def convert(weights: Mapping[str, Tensor], layout: Layout) -> dict[str, Tensor]:
    """Rename a state dict to our keys; tensors are shared, not copied.

    A ``ValueError`` names keys that the layout does not account for, or parts of it without any key.
    """
    converted: dict[str, Tensor] = {}
    strangers = []
    absent = set(layout.prefixes)
    for key, value in weights.items():
        if key.endswith(COMPUTED) or key.startswith(layout.ignored):
            continue
        prefix = next((prefix for prefix in layout.prefixes if key.startswith(prefix)), None)
        if prefix is None:
            strangers.append(key)
        else:
            absent.discard(prefix)
            ours = layout.prefixes[prefix] + key.removeprefix(prefix)
            converted.update([layout.finish(ours, value) if layout.finish else (ours, value)])
    if strangers:
        raise ValueError(f'{len(strangers)} keys are not {layout.name}\'s: {", ".join(strangers[:5])}')
    if absent:
        raise ValueError(f'the {layout.name} checkpoint is not whole: no key begins with {", ".join(sorted(absent)[:5])}')
    return converted
