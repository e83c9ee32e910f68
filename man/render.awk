# SPDX-License-Identifier: Apache-2.0
#
# Markdown, as far as our pages use it, to man(7). The first file is README.md, the second the page. In the page,
#
#   <!-- README: HEADING -->            stands for what is below that heading of the README, or for a paragraph that
#                                       begins with it in bold
#   <!-- README: HEADING, table N -->   for one of its tables alone
#   <!-- file: PATH -->                 for a file, as it is
#
# A table becomes a list: the first column names what the last describes, a column "default" goes to the end of it.

function fail(message) {
    print "man: " FILENAME ": " message >"/dev/stderr"
    failed = 1
    exit 1
}

# The README, by its headings.

FNR == NR {
    if (/^```/) fenced = !fenced
    if (!fenced && /^#+ /) {
        heading = $0
        sub(/^#+ /, "", heading)
        next
    }
    if (match($0, /^\*\*[^*]+\.\*\* /)) {
        outer = heading
        heading = substr($0, 3, RLENGTH - 6)
        $0 = substr($0, RLENGTH + 1)
    }
    sections[heading] = sections[heading] $0 "\n"
    if ($0 == "" && outer != "") {
        heading = outer
        outer = ""
    }
    next
}

# The page.

/^<!-- README: / {
    name = $0
    gsub(/^<!-- README: | -->$/, "", name)
    number = 0
    if (match(name, /, table [0-9]+$/)) {
        number = substr(name, RSTART + 8) + 0
        name = substr(name, 1, RSTART - 1)
    }
    if (!(name in sections)) fail("README.md has no section \"" name "\"")
    take(sections[name], number)
    next
}

/^<!-- file: / {
    show($3)
    next
}

{ line($0) }

END {
    if (failed) exit 1
    flush()
}

function take(text, number, lines, count, i, inside, seen) {
    flush()
    count = split(text, lines, "\n")
    for (i = 1; i <= count; i++) {
        if (lines[i] ~ /^\|/ && !inside) seen++
        inside = lines[i] ~ /^\|/
        if (number == 0 || (inside && seen == number)) line(lines[i])
    }
    if (seen < number) fail("that section has no table " number)
    flush()
}

function show(path, text, found) {
    flush()
    print ".PP\n.RS 4\n.EX"
    while ((getline text <path) > 0) {
        if (text !~ /SPDX/) print literal(text)
        found = 1
    }
    if (!found) fail("there is no " path)
    print ".EE\n.RE"
}

# One line of Markdown. What belongs together is gathered in `paragraph` until something else begins.
function line(text) {
    if (text ~ /^```/) {
        flush()
        inCode = !inCode
        print (inCode ? ".PP\n.RS 4\n.EX" : ".EE\n.RE")
    } else if (inCode) {
        print literal(text)
    } else if (text ~ /^# /) {
        title(substr(text, 3))
    } else if (text ~ /^## /) {
        flush()
        print ".SH " toupper(inline(substr(text, 4)))
    } else if (text ~ /^\|/) {
        row(text)
    } else if (text ~ /^    / && (indented || paragraph == "")) {
        if (!indented) print ".PP\n.RS 4\n.EX"
        indented = 1
        print literal(substr(text, 5))
    } else if (text ~ /^(-|[0-9]+\.) /) {
        flush()
        lead = text ~ /^-/ ? ".IP \\(bu 2" : ".IP " substr(text, 1, index(text, " ") - 1) " 4"
        paragraph = substr(text, index(text, " ") + 1)
    } else if (text ~ /^ *$/) {
        flush()
    } else {
        sub(/^ +/, "", text)
        paragraph = paragraph (paragraph == "" ? "" : " ") text
    }
}

function flush() {
    if (indented) print ".EE\n.RE"
    indented = 0
    columns = 0
    if (paragraph != "") print (lead == "" ? ".PP" : lead) "\n" inline(paragraph)
    paragraph = ""
    lead = ""
}

# "# batond(8): what it is"
function title(text, name, what) {
    name = text
    sub(/\(.*/, "", name)
    what = text
    sub(/^[^:]*: /, "", what)
    print ".\\\" SPDX-License-Identifier: Apache-2.0"
    print ".TH " toupper(name) " " substr(text, index(text, "(") + 1, 1) " \"" date "\" \"Baton " version "\" \"Baton\""
    print ".SH NAME\n" name " \\- " inline(what)
}

function row(text, cells, count, i, about) {
    gsub(/\\\|/, "\001", text)
    gsub(/^\| *| *\|$/, "", text)
    count = split(text, cells, / *\| */)
    for (i = 1; i <= count; i++) gsub(/\001/, "|", cells[i])
    if (columns == 0) {
        flush()
        columns = count
        hasDefaults = count > 2 && cells[2] == "default"
        return
    }
    if (cells[1] ~ /^:?-+:?$/) return
    about = cells[columns]
    if (hasDefaults && cells[2] != "") {
        if (about != "") about = about (about ~ /\.$/ ? " " : ". ")
        about = about "Default: " cells[2] "."
    }
    print ".TP\n" inline(cells[1]) "\n" inline(about)
}

# Code and bold are bold, what is emphasised is underlined, of a link the text stays.
function inline(text, code, rest) {
    text = literal(text)
    while (match(text, /`[^`]+`/)) {
        code = substr(text, RSTART + 1, RLENGTH - 2)
        rest = substr(text, RSTART + RLENGTH)
        gsub(/-/, "\\-", code)
        gsub(/\*/, "\001", code)
        gsub(/\[/, "\002", code)
        text = substr(text, 1, RSTART - 1) "\\fB" code "\\fR" rest
    }
    while (match(text, /\*\*[^*]+\*\*/)) {
        code = substr(text, RSTART + 2, RLENGTH - 4)
        rest = substr(text, RSTART + RLENGTH)
        gsub(/--/, "\\-\\-", code)
        text = substr(text, 1, RSTART - 1) "\\fB" code "\\fR" rest
    }
    while (match(text, /\*[^* ][^*]*\*/)) {
        code = substr(text, RSTART + 1, RLENGTH - 2)
        rest = substr(text, RSTART + RLENGTH)
        text = substr(text, 1, RSTART - 1) "\\fI" code "\\fR" rest
    }
    while (match(text, /\[[^]]+\]\([^)]+\)/)) {
        code = substr(text, RSTART + 1, RLENGTH - 2)
        rest = substr(text, RSTART + RLENGTH)
        text = substr(text, 1, RSTART - 1)
        sub(/\].*/, "", code)
        text = text code rest
    }
    gsub(/\001/, "*", text)
    gsub(/\002/, "[", text)
    return text
}

# A text as it is, for roff: nothing in it is taken for a request, and there is nothing but ASCII.
function literal(text) {
    gsub(/\\/, "\\e", text)
    gsub(/…/, "...", text)
    gsub(/–/, "\\(en", text)
    gsub(/−/, "\\(mi", text)
    gsub(/×/, "\\(mu", text)
    gsub(/⅔/, "2/3", text)
    if (match(text, /[^ -~\t]/)) fail("no rendering is known for: " substr(text, RSTART, 20))
    if (text ~ /^[.']/) text = "\\&" text
    return text
}
