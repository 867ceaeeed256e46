"""Layers as users make them, that abd must not take for torch's own."""


def doubled(layer):
    """Give a layer a forward of its own, which doubles what its kind gives."""
    layer.forward = lambda x: 2 * type(layer).forward(layer, x)
    return layer
