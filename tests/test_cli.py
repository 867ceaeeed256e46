"""What `abd --help` shows."""

import re

import pytest

from abd.cli import main


def _help(capsys, *command):
    with pytest.raises(SystemExit) as end:
        main([*command, "--help"])
    assert end.value.code == 0
    return capsys.readouterr().out


def test_its_examples_are_of_commands_that_there_are(capsys):
    text = _help(capsys)
    commands = re.findall(r"^  abd (\w+)", text[text.index("examples:") :], re.MULTILINE)
    assert len(commands) >= 5
    for command in commands:
        assert f"usage: abd {command}" in _help(capsys, command)
