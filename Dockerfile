# One image for the API and for runners. For GPUs build with --build-arg TORCH_INDEX=https://pypi.org/simple
FROM python:3.11-slim
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
WORKDIR /espalier
COPY constraints.txt ./
RUN pip install --no-cache-dir --constraint constraints.txt --index-url "$TORCH_INDEX" \
        --extra-index-url https://pypi.org/simple torch torchvision
COPY pyproject.toml setup.py README.md LICENSE ./
COPY models models
COPY search search
COPY storage storage
COPY app app
RUN pip install --no-cache-dir --constraint constraints.txt ".[objects,onnx,postgresql,ray]" \
    && useradd --create-home espalier && mkdir /data && chown espalier /data
USER espalier
ENV ESPALIER_DATA_DIR=/data ESPALIER_LOG_FORMAT=json
VOLUME /data
EXPOSE 8000
CMD ["espalier", "serve", "--host", "0.0.0.0"]
