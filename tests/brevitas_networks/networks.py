"""Networks exported by Brevitas as its users export them: drawn from a seed, with the outputs that Brevitas computes.

Run by the Python of the environment in requirements.txt: `networks.py FOLDER NAME...` writes for each name

- NAME.onnx: the network as QONNX, or as QCDQ when the name ends in _qcdq
- NAME.npz: inputs (float32, frames first), and the class that Brevitas chooses for each as labels
- NAME_outputs.npy: Brevitas' own outputs, of shape (frames, values)
"""

import sys
from pathlib import Path

import brevitas.nn as qnn
import numpy as np
import torch
from brevitas.export import export_onnx_qcdq, export_qonnx
from brevitas.quant import Int8WeightPerChannelFloat, TruncTo8bit
from brevitas_examples.bnn_pynq.models import model_with_cfg
from brevitas_examples.bnn_pynq.models.resnet import QuantBasicBlock
from torch import nn

FRAMES = 100
BATCHES = 5  # of 32 frames, from which quantizers and normalizations take their statistics
QCDQ = "_qcdq"
# Brevitas' own residual blocks insist on QuantTensors, which torch's newer exporter does not know.
TORCHSCRIPT = {"resnet18"}


def convolution(inputs: int, outputs: int, kernel: int, bits: int = 4, **options: int) -> nn.Sequential:
    """A convolution without bias, a normalization and a quantized ReLU."""
    return nn.Sequential(
        qnn.QuantConv2d(
            inputs,
            outputs,
            kernel,
            padding=kernel // 2,
            bias=False,
            weight_bit_width=bits,
            weight_quant=Int8WeightPerChannelFloat,
            **options,
        ),
        nn.BatchNorm2d(outputs),
        qnn.QuantReLU(bit_width=bits, return_quant_tensor=True),
    )


def average_pool() -> nn.Module:
    """The mean over 4 x 4, truncated: the one average that FINN's hardware knows."""
    return qnn.TruncAvgPool2d(4, trunc_quant=TruncTo8bit, float_to_int_impl_type="FLOOR")


class MobileNet(nn.Module):
    """MobileNetV1's blocks: a depthwise, then a pointwise convolution."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        blocks = [
            qnn.QuantIdentity(bit_width=8, return_quant_tensor=True),
            convolution(3, width, 3, bits=8, stride=2),
        ]
        for inputs, outputs, stride in ((1, 2, 1), (2, 4, 2), (4, 4, 1), (4, 8, 2)):
            blocks.append(convolution(inputs * width, inputs * width, 3, stride=stride, groups=inputs * width))
            blocks.append(convolution(inputs * width, outputs * width, 1))
        self.features = nn.Sequential(*blocks, average_pool())
        self.classifier = qnn.QuantLinear(8 * width, 10, bias=False, weight_bit_width=8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(x).flatten(1))


class ResNet18(nn.Module):
    """ResNet-18 with the residual blocks of Brevitas' examples."""

    def __init__(self, width: int = 16, bits: int = 4) -> None:
        super().__init__()
        self.first = nn.Sequential(
            qnn.QuantIdentity(bit_width=8, return_quant_tensor=True), *convolution(3, width, 3, bits=bits)
        )
        shared, planes, blocks = self.first[-1], width, []
        for stage in range(4):
            for stride in (2 if stage else 1, 1):
                block = QuantBasicBlock(
                    planes,
                    width << stage,
                    stride,
                    shared_quant_act=shared,
                    act_bit_width=bits,
                    weight_bit_width=bits,
                )
                shared, planes = block.relu_out, width << stage
                blocks.append(block)
        self.blocks = nn.Sequential(*blocks, average_pool())
        self.classifier = qnn.QuantLinear(8 * width, 10, bias=False, weight_bit_width=8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.blocks(self.first(x)).flatten(1))


def convolution_1d(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """A convolution along time, a normalization and a quantized ReLU."""
    return nn.Sequential(
        qnn.QuantConv1d(inputs, outputs, kernel, padding=kernel // 2, stride=stride, bias=False, weight_bit_width=4),
        nn.BatchNorm1d(outputs),
        qnn.QuantReLU(bit_width=4),
    )


def make_keywords() -> nn.Module:
    """Keyword spotting with 1D convolutions over ten coefficients, for twelve words."""
    return nn.Sequential(
        qnn.QuantIdentity(bit_width=8),
        convolution_1d(10, 16, 5),
        convolution_1d(16, 16, 3, stride=2),
        nn.MaxPool1d(2),
        convolution_1d(16, 32, 3),
        nn.MaxPool1d(2),
        nn.Flatten(),
        qnn.QuantLinear(32 * 8, 32, bias=False, weight_bit_width=4),
        nn.BatchNorm1d(32),
        qnn.QuantReLU(bit_width=4),
        qnn.QuantLinear(32, 12, bias=True, weight_bit_width=4),
    )


class UNet(nn.Module):
    """Two levels with one skip: the quantizer before the concatenation is shared by both of its branches."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.input = qnn.QuantIdentity(bit_width=8, return_quant_tensor=True)
        self.down = convolution(3, width, 3)
        self.pool = nn.MaxPool2d(2)
        self.bottom = convolution(width, 2 * width, 3)
        self.narrow = convolution(2 * width, width, 1)
        self.narrow[-1] = self.down[-1]
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.joined = convolution(2 * width, width, 3)
        self.last = qnn.QuantConv2d(width, 2, 1, bias=False, weight_bit_width=4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skipped = self.down(self.input(x))
        deep = self.narrow(self.bottom(self.pool(skipped)))
        # While a network is exported, quantizers return plain tensors.
        values = [getattr(tensor, "value", tensor) for tensor in (skipped, deep)]
        return self.last(self.joined(torch.cat([values[0], self.up(values[1])], dim=1)))


OWN = {
    "mobilenet": (MobileNet, (3, 32, 32)),
    "resnet18": (ResNet18, (3, 32, 32)),
    "keywords": (make_keywords, (10, 64)),
    "unet": (UNet, (3, 16, 16)),
}


def make(name: str) -> tuple[nn.Module, tuple[int, ...]]:
    """A network and the shape of its frames: one of OWN, or one of Brevitas' examples such as tfc_1w1a."""
    name = name.removesuffix(QCDQ)
    if name in OWN:
        network, shape = OWN[name]
        return network(), shape
    return model_with_cfg(name, pretrained=False)[0], (3, 32, 32) if name.startswith("cnv") else (1, 28, 28)


def draw(frames: int, shape: tuple[int, ...]) -> torch.Tensor:
    """Pixels as torchvision's ToTensor makes them: coarse patterns with noise, so that frames differ."""
    coarse = torch.rand(frames, shape[0], *[4] * (len(shape) - 1))
    values = nn.functional.interpolate(coarse, size=shape[1:]) + 0.1 * torch.rand(frames, *shape)
    return (values / 1.1 * 255).round() / 255


def export(name: str, folder: Path) -> None:
    """Write a network and what it computes."""
    torch.manual_seed(0)
    network, shape = make(name)
    network.train()
    with torch.no_grad():
        for _ in range(BATCHES):
            network(draw(32, shape))
        network.eval()
        inputs = draw(FRAMES, shape)
        outputs = network(inputs)
    values = getattr(outputs, "value", outputs).numpy()
    write = export_onnx_qcdq if name.endswith(QCDQ) else export_qonnx
    write(network, args=inputs[:1], export_path=str(folder / f"{name}.onnx"), dynamo=name not in TORCHSCRIPT)
    labels = {} if values.ndim > 2 else {"labels": values.argmax(axis=1)}
    np.savez(folder / f"{name}.npz", inputs=inputs.numpy(), **labels)
    np.save(folder / f"{name}_outputs.npy", values.reshape(FRAMES, -1))


if __name__ == "__main__":
    for wanted in sys.argv[2:]:
        export(wanted, Path(sys.argv[1]))
