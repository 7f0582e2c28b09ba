"""Packaging of mmduet; the host frameworks are an extra, because two lineages share their import names."""
import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
VERSION = re.search(r"__version__ = '(.+)'", (ROOT / 'mmduet/__init__.py').read_text()).group(1)

setup(
    name='mmduet',
    version=VERSION,
    description='Visual grounding with dual knowledge distillation (DUET), on MMEngine and MMDetection',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    python_requires='>=3.10',
    packages=find_packages(include=['mmduet', 'mmduet.*']),
    include_package_data=True,
    package_data={'mmduet': ['**/*.safetensors', '**/*.json', '**/*.txt', '**/templates/*', 'py.typed']},
    install_requires=[
        'torch>=2.6',
        'torchvision',
        'numpy',
        'opencv-python',
        'pillow',
        'open_clip_torch>=3.0',
        'transformers>=4.48',
        'huggingface_hub>=0.30',
        'rich',
        'safetensors>=0.4',
        'filelock>=3.12',
        'pycocotools>=2.0.7',
        'scipy>=1.15',
        'matplotlib>=3.8',
        'jinja2>=3.1',
        'tensorboard',
    ],
    extras_require={
        'onedl': ['onedl-mmengine>=0.10.12', 'onedl-mmcv>=2.3.6', 'onedl-mmdetection>=3.5.1'],
        'openmmlab': ['mmengine==0.10.7', 'mmcv-lite>=2.0.0,<2.2.0', 'mmdet==3.3.0'],
        'dev': ['pytest>=8', 'pytest-xdist>=3', 'ruff>=0.17', 'mypy>=2', 'import-linter>=2', 'pre-commit'],
    },
)
