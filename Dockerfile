# mmduet with its command. For a CPU, and for CUDA by a build argument:
#
#   docker build -t mmduet .
#   docker build -t mmduet:cuda --build-arg TORCH=cuda .
#   docker run --rm -v "$PWD:/work" mmduet predict image.jpg "the red circle" --out answer.png
#   docker run --rm -p 7860:7860 mmduet demo --host 0.0.0.0
#   docker run --rm --gpus all --shm-size 8g -v "$PWD:/work" mmduet:cuda train transvg_duet_refcoco
FROM python:3.11-slim-bookworm

# "cpu" or "cuda": which wheels of PyTorch are installed. Those for CUDA bring its libraries; the host needs the driver alone.
ARG TORCH=cpu
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONUNBUFFERED=1

SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
WORKDIR /opt/mmduet
COPY requirements/tested.txt requirements/tested.txt
# The versions are those of requirements/tested.txt, which hadolint cannot see.
# hadolint ignore=DL3013
RUN case "$TORCH" in \
        cpu) index=(--index-url https://download.pytorch.org/whl/cpu) ;; \
        cuda) index=() ;; \
        *) echo "TORCH must be cpu or cuda, got $TORCH" >&2; exit 1 ;; \
    esac; \
    torch="$(grep -E '^torch==' requirements/tested.txt)"; vision="$(grep -E '^torchvision==' requirements/tested.txt)"; \
    pip install "${index[@]}" "$torch" "$vision"

COPY . .
RUN pip install -c requirements/tested.txt ".[onedl,export,demo,hub]" \
    && useradd --create-home --uid 1000 mmduet \
    && install -d -o mmduet /work

USER 1000
WORKDIR /work
EXPOSE 7860
ENTRYPOINT ["mmduet"]
CMD ["--help"]
