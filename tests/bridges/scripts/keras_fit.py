"""A training of Keras."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np

from synapse_stream.integrations.keras import StreamCallback
from tests.bridges.scripts._done import die_after

keras.utils.set_random_seed(0)
inputs = np.random.default_rng(0).normal(size=(64, 4))
targets = (inputs.sum(axis=1) > 0).astype("float32")
model = keras.Sequential([keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)])
model.compile(optimizer="sgd", loss="mse", metrics=["mae"])
history = model.fit(
    inputs, targets, epochs=5, validation_split=0.25, verbose=0, callbacks=[StreamCallback()]
)
points = [
    [name, epoch, value]
    for name, values in history.history.items()
    for epoch, value in enumerate(values)
]
die_after(points)
