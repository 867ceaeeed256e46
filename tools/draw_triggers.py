"""Draws docs/images/triggers.png: a digit without a trigger, and with each of them."""

from pathlib import Path

from abd.data import build_dataset
from abd.report.theme import to_png
from abd.report.triggers import Example, contact_sheet
from abd.triggers import TRIGGERS, build_trigger


def main() -> None:
    """Stamp the first 3 of the test set, and write the sheet."""
    digits = build_dataset("digits")
    image = digits.x_test[digits.y_test == 3][:1]
    examples = [Example(image[0], "no trigger")]
    for name in TRIGGERS.names():
        stamped = build_trigger(name, digits.size).stamp(image)
        examples.append(Example(stamped[0], name))
    to_png(contact_sheet(examples), Path("docs/images/triggers.png"))


if __name__ == "__main__":
    main()
