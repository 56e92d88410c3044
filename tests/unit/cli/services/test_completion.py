"""The shell completes the names of vendors and of their models."""

import os
import subprocess
import sys

from antiphon.cli.services.completing import service_names, service_names_of, vendor_names


def test_vendors_and_their_default_models() -> None:
    assert service_names("cart") == ["cartesia", "cartesia/ink-2", "cartesia/sonic-3"]
    assert service_names("cartesia/s") == ["cartesia/sonic-3"]
    assert vendor_names("openr") == ["openrouter"]


def test_a_list_completes_its_last_name_with_what_fits_the_kind() -> None:
    complete = service_names_of("stt")
    assert complete("cart") == ["cartesia", "cartesia/ink-2"]
    assert complete("soniox,cartesia/") == ["soniox,cartesia/ink-2"]
    assert "anthropic" not in complete("")


def test_the_shell_is_answered() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from antiphon.cli import main; main()"],
        env=os.environ
        | {
            "_ANTIPHON_COMPLETE": "complete_bash",
            "COMP_WORDS": "antiphon services check cartesia/",
            "COMP_CWORD": "3",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["cartesia/ink-2", "cartesia/sonic-3"], done.stderr
