"""Writes python_re.jsonl: what Python's `re` makes of patterns like those of jobs.

Run it to renew the file: `python3 python_re.py > python_re.jsonl`. A line is a pattern, a text, and what
`re.search(pattern, text, re.DOTALL)` finds, as offsets into the UTF-8 of the text: the span of the whole
match and of each group, `null` for a group that took no part, `null` for no match. `error` instead of these
says that Python refuses the pattern.
"""

import json
import re
import warnings

warnings.simplefilter("ignore")

PATTERNS = [
    # Prompts, banners and ports as jobs and devices have them.
    r"root@[^:]*:[^#]*# ", r"(initramfs)", r"\(initramfs\)", r"login: ?$", r"[\w-]+ login:", r"=> $", r"\$ $",
    r"Shell> ", r"/ # ", r"lava-test: # ", r"root@(.*):[/~]#", r"Linux version [0-9]", r"U-Boot 20\d{2}\.\d{2}",
    r"terminal_0: Listening for serial connection on port (?P<PORT>\d+)", r"port (\d+)", r"[Pp]assword:",
    r"<LAVA_SIGNAL_(\S+) ([^>]+)>", r"<LAVA_TEST_RUNNER EXIT>", r"(?P<test_case_id>\w+): (?P<result>PASS|FAIL)",
    r"(?P<a>.*) -> (?P<b>.*)", r"^\s*ok (\d+)", r"(?m)^(\w+): (\w+)$", r"(?i)LOGIN:", r"(?i:pass)word", r"a(?-s:.)b",
    # Every construct there is.
    r"", r".", r"a.b", r"a|b", r"a|ab", r"ab|a", r"(a|b)*", r"(a)|(b)", r"(?:a|b)+", r"a*", r"a+?", r"a??", r"a{2}",
    r"a{2,}", r"a{,2}", r"a{1,2}?", r"a{", r"a{x}", r"a{1", r"a{1,x}", r"{", r"}", r"a{,}", r"{2}", r"x{0}", r"(a+)+b",
    r"[abc]", r"[^abc]", r"[]a]", r"[^]a]", r"[a-c]", r"[a-]", r"[-a]", r"[\]]", r"[\d.]+", r"[^\d]", r"[\w-]+",
    r"[\s]", r"[\S]+", r"[^\s]+", r"[\W]", r"[a&&b]", r"[[]", r"[[a]]", r"[a--b]", r"[a||b]", r"[\b]", r"[\n]", r"[.]",
    r"[$^*]", r"[é-í]", r"[^é]", r"é", r"é+", r".é.", r"\w+", r"\W+", r"\d+", r"\D+", r"\s+", r"\S+", r"(?a)\w+",
    r"\bfoo\b", r"\Boo", r"foo\B", r"^foo", r"foo$", r"\Afoo", r"foo\Z", r"(?m)^b", r"(?m)a$", r"a$\nb", r"^$",
    r"\.", r"\[", r"\(", r"\/", r"\#", r"\-", r"\ ", r"\@", r"\<", r"\"", r"\t", r"\n", r"\r\n", r"\x41", r"\u0041",
    r"\U00000041", r"\101", r"\0", r"\012", r"\377", r"\e", r"\q", r"\c", r"\8", r"\1", r"(a)\1", r"\xg", r"\x4",
    r"(?P<n>a)(?P=n)", r"(?P<n>a)(?P<n>b)", r"(?P<1>a)", r"(?P<>a)", r"(?P<a", r"(?#comment)a", r"a(?#x)*", r"(?#",
    r"(?=a)", r"(?!a)b", r"(?<=a)b", r"(?<!a)b", r"(?>a)b", r"a++", r"a?+", r"(a)?(?(1)b|c)", r"(?x) a b # c",
    r"(?x)a\ b", r"(?xs)a . b", r"(?s).", r"(?z)a", r"a(?i)b", r"(?i-s:A.)", r"(?-i:a)", r"(?i)(?-i:a)B",
    r"(", r")", r"(a", r"a)", r"[", r"[a", r"[b-a]", r"[\d-z]", r"[a-\d]", r"*", r"+a", r"?", r"a**", r"a+*", r"a{2}{3}",
    r"^*", r"$+", r"\b?", r"(^)*", r"(?:)*", r"()*", r"a|", r"|a", r"(|a)+", r"(?:a|)b", r"\\", "\\", r"a\\b",
    r"(((((a)))))", r"(a(b(c)d)e)", r"(?P<x>(?P<y>a)b)", r"a{0,0}b", r"a{3,2}", r"\N{DIGIT ONE}", r"[\x61-\x63]+",
    r"[\101-\103]+", r"(?i)[a-c]+", r"(?i)é", r"(?i)\x61", r"[^\n]+", r".+\n", r"[^>]+>", r".*?b", r"(.*)b", r"(.*?)b",
    r"\Z", r"\z", r"(?u)é", r"(?L)a", r"(?im)^B", r"#", r"# ", r"~ #", r"a b", r"\s*#\s*$",
]

TEXTS = [
    "", "a", "b", "ab", "aab", "abc", "foo", "foobar", "a foo b", "a\nb", "b\na\n", "A", "é", "aéb", "x é y\n", "{2}", "a{x}", "a{",
    "]a", "[a]", "a-b", "a&b", "a|b", "0129", "root@debian:~# ", "root@debian:/tmp# ls\r\nroot@debian:/# ", "debian login: ",
    "(initramfs) ", "lava-test: # ", "/ # ", "U-Boot 2023.07 (x)\r\n=> ", "Password: ",
    "terminal_0: Listening for serial connection on port 5000\n", "Linux version 6.1.0 (root@build) #1\n",
    "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass>\r\n", "one: PASS\ntwo: FAIL\n", "x -> y\n", "  ok 12 - fine\n",
    "a b", "a\\b", "\t", "\r\n", "abcde", "aaaa", "AbC", "LOGIN:", "PASSword", "\x08", "\x00", "ÿ", "aB", "Shell> ", "$ ",
]


def offsets(match, text):
    def span(group):
        start, end = match.span(group)
        return None if start < 0 else [len(text[:start].encode()), len(text[:end].encode())]

    return [span(group) for group in range(match.re.groups + 1)]


for pattern in PATTERNS:
    try:
        compiled = re.compile(pattern, re.DOTALL)
    except re.error:
        print(json.dumps({"pattern": pattern, "error": True}))
        continue
    lines = 0
    for text in TEXTS:
        found = compiled.search(text)
        # Ten that are found say enough of a pattern, and a few that are not.
        if (found and lines < 10) or text in ("", "foobar"):
            lines += 1
            print(json.dumps({"pattern": pattern, "text": text, "found": offsets(found, text) if found else None}))
