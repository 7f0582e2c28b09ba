"""RefShapes, the embedded data set: seeded scenes of coloured shapes with referring expressions."""
from pathlib import Path

from mmduet.refshapes.expressions import Expression, caption, refer, region_phrase, vocabulary
from mmduet.refshapes.generator import STUDENT_SPLITS, Example, make_example
from mmduet.refshapes.levels import HELD_OUT, LEVELS
from mmduet.refshapes.render import render
from mmduet.refshapes.scene import Scene, SceneObject, sample_scene, scene_rng
from mmduet.refshapes.writer import STANDARD_COUNTS, Recipe, write_official_layout

# One token per line in the order of ids, as BERT's vocabulary files.
VOCABULARY_FILE = Path(__file__).with_name('vocab.txt')
# The toy student that ships: a folder of ``save_pretrained``.
STUDENT_FOLDER = Path(__file__).with_name('student')

__all__ = [
    'HELD_OUT', 'LEVELS', 'STANDARD_COUNTS', 'STUDENT_FOLDER', 'STUDENT_SPLITS', 'VOCABULARY_FILE', 'Example', 'Expression',
    'Recipe', 'Scene', 'SceneObject', 'caption', 'make_example', 'refer', 'region_phrase', 'render', 'sample_scene',
    'scene_rng', 'vocabulary', 'write_official_layout'
]
