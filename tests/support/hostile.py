"""Values that a caller can choose, each meant to become code, and commands that they are put into."""

from collections.abc import Callable

PWNED = "pwned-by-code"

# As environment variables they are harmless; Linux takes all but NUL.
VALUES = {
    "DOUBLE": f'x"; echo {PWNED}; echo "',
    "SINGLE": f"x'; echo {PWNED}; echo '",
    "SPLIT": f"x; echo {PWNED}",
    "DOLLAR": f"$(echo {PWNED})",
    "BACKTICK": f"`echo {PWNED}`",
    "BRACES": f"${{IFS}}${{PATH:-x}}$${{HOME}} $$ {PWNED}",
    "LINES": f"a\necho {PWNED}\n\n- echo {PWNED}\n---\nkind: pipeline\n...\n",
    "YAML": f'"]}}\nprivileged: true # {PWNED}: - x',
    "COMMENT": f"x # y\t: {PWNED} &a *b !c %d @e",
    "BACKSLASH": "\\ \\\\ \\n \\x41 \\/ \\\\/ \\" + "\\",
    "END": f"x\\\n echo {PWNED} \\",
    "CMD": f"%PATH% & echo {PWNED} ^ !PATH! | type con",
    "POWERSHELL": f"$env:PATH; Write-Output {PWNED}; @(iex '{PWNED}')",
    "DASHES": "--option -n -e",
    "GLOB": "* ? [a-z] ~ {a,b}",
    "UNICODE": "Zürich 東京 🚢 \u2028\u2029\ufeff\u0085 é",
    "CONTROL": "\x01\x07\x1b[31m\x7f\r\t",
    "QUOTES": "'\"'\"'\"\"''`\"",
    "LONG": f'"; echo {PWNED}; ' + "x'\"$(id)\\" * 3000,
    "EMPTY": "",
}

# With what each prints of a value, by a shell's rules alone.
COMMANDS: dict[str, Callable[[str], str | None]] = {
    "printf '<%s>' \"${P}\"": lambda value: value,
    "printf '<%s>' \"a${P}b\"": lambda value: f"a{value}b",
    "printf '<%s>' \"${P:1:9}\"": lambda value: value[1:10],
    "printf '<%s>' \"${P/x/${P}}\"": lambda value: (
        value.replace("x", value, 1) if len(value) < 1000 else None
    ),
    "printf '<%s>' \"${P^^}\"": str.upper,
    "printf '<%s>' \"${P:-default}\"": lambda value: value or "default",
    "printf '<%s>' \"${NONE:-${P}}\"": lambda value: value,
    "printf '<%s>' \"${P%y}\"": lambda value: value.removesuffix("y"),
    "printf '<%s>' \"${#P}\"": lambda value: str(len(value)),
    "printf '<%s>' '${P}'": lambda value: "${P}",
    "printf '<%s>' \"$${P}\"": lambda value: value,
    "printf '<%s>' \"$P\"": lambda value: value,
    "printf '<%s>' \"$$$${P}\"": lambda value: None,
    "cat <<END\n<${P}>\nEND\n": lambda value: None,
    'sh -c \'printf "<%s>" "${P}"\'': lambda value: value,
}


KIB = 1024
ODD_VALUES = {
    "EMPTY": "",
    "SPACES": "  a  b  ",
    "SINGLE": "it's 'quoted'",
    "DOUBLE": 'say "so" \\" \\\\',
    "DOLLAR": "$HOME ${PATH} $(reboot) `reboot` %PATH% !!",
    "LINES": "a\nb\r\nc\rd\n",
    "CONTROL": "".join(map(chr, range(1, 32))) + "\x7f\x80\x9f",
    "UNICODE": "Zürich 東京 🚢 e\u0301 é \u202egnp \u2028 \u2029 \ufeff \ufffd \U0010ffff",
    "JSON": '{"a": ["b", null]}',
    "HTML": "<script>&amp;</script>",
    "SQL": "'; DROP TABLE builds; --",
    "EQUALS": "A=B=C",
    "ESCAPES": "\\n \\u0000 \\0 \\x00",
    "LONGEST": "x" * 32 * KIB,
    "LONGEST_WIDE": "🚢" * 8 * KIB,
}
