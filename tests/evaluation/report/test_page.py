"""The page in a real browser, on a phone and on a desktop, in light and in dark."""
import base64
import hashlib
import re
import time

import pytest

from mmduet.evaluation.report.figures import COLOURS
from mmduet.evaluation.report.gallery import Album, choose_groups
from mmduet.evaluation.report.outcomes import OUTCOMES
from mmduet.evaluation.report.page import draw_page
from mmduet.evaluation.report.published import Published
from mmduet.evaluation.report.summary import summarise
from tests.browser import Browser
from tests.report_data import EVIL, OTHERS, SOME, make_cases, predict

LONG = 'a_system_with_a_name_of_many_letters_and_no_blank_at_all'


def make_page(tmp_path, names, images, difference=None, **changes):
    cases = make_cases(tmp_path, **changes)
    predictions = [predict(tmp_path, cases, f'p{number}', OTHERS if number % 2 else SOME) for number in range(len(names))]
    for one, name in zip(predictions, names, strict=True):
        object.__setattr__(one, 'name', name)
    summary = summarise(cases, predictions, draws=20)
    if difference:
        summary.figures['comparisons'][0]['metrics']['acc@0.5'] = difference
    return draw_page(summary, choose_groups(summary, 4), Album(images), ' and '.join(names))


def test_nothing_is_fetched_and_only_our_script_runs(tmp_path):
    page = make_page(tmp_path, ['one'], tmp_path / 'images')
    assert re.findall('<script[^>]*>', page) == ['<script type="application/json" id="data">', '<script>']
    script = page.split('<script>')[1].split('</script>')[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in page
    elsewhere = page.replace("'http://www.w3.org/2000/svg'", '')
    assert not [word for word in ('http:', 'https:', ' src=', 'url(', 'innerHTML', 'eval(') if word in elsewhere]


def test_the_worth_of_scores_is_shown(tmp_path):
    page = make_page(tmp_path, ['one'], tmp_path / 'images')
    assert re.search(r'AUROC of hits against misses by the score, %</th>\s*<td>50\.0</td>', page)


def test_what_comes_from_files_is_escaped(tmp_path):
    page = make_page(tmp_path, [EVIL, 'b'], None, expression=EVIL, image=EVIL, category=EVIL, kind=EVIL)
    assert page.count('<script') == page.count('</script') == 2
    assert 'alert("x")' not in page and '<script>alert' not in page


def test_every_case_has_its_boxes_words_and_what_was_found(tmp_path):
    page = make_page(tmp_path, ['some', 'others'], tmp_path / 'images')
    card = next(part for part in page.split('<figure class="card">') if 'the second cup next to the red laptop' in part)
    assert 'some: IoU 0.00, on another object of its category</p>' in card and 'others: IoU 1.00</p>' in card
    card = card.split('</figure>')[0]
    assert card.count('class="box') == 3
    assert '<rect class="box target" x="20.00" y="0.00" width="10.00" height="10.00"/>' in card
    assert 'class="blank"' not in card and '<image class="blocks" href="data:image/jpeg' in card
    assert '<p class="id">val 2<span' in card
    assert 'class="blank"' in make_page(tmp_path, ['some'], None)


def test_a_slice_has_its_figure_its_bar_and_the_difference(tmp_path):
    page = make_page(tmp_path, ['some', 'others'], None)
    row = re.split(r'<th scope="row"><a href="#slice-\d+">spatial words</a></th>', page)[1].split('</tr>')[0]
    assert '<td data-value="1">1</td>' in row and '<td class="" data-value="100.0">100.0<small>no interval</small>' in row
    assert '<line class="tick s1" x1="0.0" x2="0.0" y1="1.5" y2="10.5"/>' in row
    assert row.split('<td class="wide ')[1].startswith('" data-value="-100.0">−100.0')


@pytest.mark.parametrize(('difference', 'text'), [
    (dict(value=3.04, low=1.0, high=5.0, p=0.00009),
     '&lt;b&gt; is <strong>better</strong> than a by 3.0 points of Acc@0.5 '
      '(95 % interval +1.0 to +5.0; p\N{NO-BREAK SPACE}≤\N{NO-BREAK SPACE}0.0001).'),
    (dict(value=-3.0, low=-5.0, high=-1.0, p=0.012), '&lt;b&gt; is <strong>worse</strong> than a by 3.0 points'),
    (dict(value=1.0, low=-1.0, high=3.0, p=0.3),
     '<strong>No difference beyond chance</strong> between &lt;b&gt; and a: +1.0 points'),
    (dict(value=1.0, low=0.1, high=3.0, p=0.06), 'No difference beyond chance'),
    (dict(value=1.0, low=None, high=None, p=0.5), '+1.0 points of Acc@0.5 (p\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}0.5).')])
def test_the_verdict_needs_interval_and_test(tmp_path, difference, text):
    assert text in ' '.join(make_page(tmp_path, ['a', '<b>'], None, difference).split('\n'))


def test_every_colour_that_is_used_is_defined(tmp_path):
    page = make_page(tmp_path, list('abcdefgh'), None)
    style = page.split('<style>')[1].split('</style>')[0]
    assert set(re.findall(r'var\((--[\w-]+)\)', page)) <= set(re.findall(r'(--[\w-]+):', style))
    assert all(f'.s{number} {{' in style for number in range(COLOURS))
    assert all(f'.o{number} {{' in style for number in range(len(OUTCOMES)))


def test_a_single_system_has_no_differences_and_missing_images_are_noted(tmp_path):
    page = make_page(tmp_path, ['one'], tmp_path / 'nowhere')
    assert 'id="differences"' not in page
    assert 'images of the gallery cannot be read' in page


@pytest.fixture(scope='module')
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp('chromium') / 'profile') as browser:
        yield browser


@pytest.mark.parametrize('names', [['plain'], ['plain', LONG], [LONG, EVIL, *'cdefg']])
def test_the_page_is_readable_on_a_phone_and_on_a_desktop(tmp_path, browser, names):
    path = tmp_path / 'report.html'
    path.write_text(make_page(tmp_path, names, tmp_path / 'images', expression=EVIL), encoding='utf-8')
    browser.problems.clear()
    for width, phone, scheme in ((390, True, 'light'), (1280, False, 'dark')):
        browser.resize(width, 800, phone)
        browser.set_scheme(scheme)
        browser.open(path.as_uri())
        assert browser.evaluate('document.documentElement.scrollWidth') <= width
        assert browser.evaluate('Array.from(document.querySelectorAll("p, figcaption, td, small, h1, h2")).every('
                                'e => parseFloat(getComputedStyle(e).fontSize) >= 12)')
        assert browser.evaluate('document.querySelectorAll("svg image").length') > 3
        ink, paper = (sum(map(int, re.findall(r'\d+', browser.evaluate(f'getComputedStyle(document.body).{name}'))))
                      for name in ('color', 'backgroundColor'))
        assert abs(ink - paper) > 500
        assert (paper < 200) is (scheme == 'dark')
        words = browser.evaluate('Array.from(document.querySelectorAll("svg.plot text")).map(e => e.textContent)')
        assert {'IoU of prediction and target', 'expressions, %', 'IoU that counts as a hit', 'accuracy, %'} <= set(words)
        grey = browser.evaluate('getComputedStyle(document.querySelector("svg.plot text")).fill')
        assert (max(map(int, re.findall(r'\d+', grey))) > 140) is (scheme == 'dark'), grey
        # Letters in figures shrink with them; on a phone they must stay legible.
        assert browser.evaluate('Array.from(document.querySelectorAll("svg.plot text")).every('
                                'e => e.getBoundingClientRect().height >= 11)')
    assert browser.problems == []


def test_the_browser_does_notice_problems(tmp_path, browser):
    path = tmp_path / 'bad.html'
    path.write_text('<title>x</title><script>console.error("oh"); nothing.there</script><img src="gone.png">')
    browser.problems.clear()
    browser.open(path.as_uri())
    assert any('oh' in problem for problem in browser.problems)
    assert any('nothing is not defined' in problem for problem in browser.problems)
    assert len(browser.problems) >= 3


def test_slices_are_coloured_by_the_interval_of_their_paired_difference_and_by_a_sign(tmp_path):
    cases = make_cases(tmp_path)
    summary = summarise(cases, [predict(tmp_path, cases, 'p', SOME)], draws=20)
    part = summary.figures['slices'][0]
    for high, sign, style in ((-5.0, '▼', 'worse'), (1.0, '', '')):
        part.update(expressions=50, against_all=[{'value': -20.0, 'low': -40.0, 'high': high}])
        page = draw_page(summary, [], Album(None), 'x')
        row = page.split(f'>{part["name"]}</a>')[1].split('</tr>')[0]
        assert f'<td class="{style}"' in row and (sign in row) and ('below the figure over all' in row) is bool(sign)
    part['expressions'] = 5
    assert '▼' not in draw_page(summary, [], Album(None), 'x').split(f'>{part["name"]}</a>')[1].split('</tr>')[0]


def test_published_figures_stand_beside(tmp_path):
    cases = make_cases(tmp_path)
    summary = summarise(cases, [predict(tmp_path, cases, 'p', SOME)], draws=20)
    page = draw_page(summary, [], Album(None), 'x', [Published('TransVG', 'transvg_refcoco', 'val', 80.5)])
    assert ('<th scope="row">TransVG</th><td><code>transvg_refcoco</code></td><td>val</td>'
            '<td data-value="80.5">80.50</td>') in page
    assert 'Published on the same splits' not in draw_page(summary, [], Album(None), 'x')


@pytest.fixture
def opened(tmp_path, browser):
    path = tmp_path / 'report.html'
    path.write_text(make_page(tmp_path, ['some', 'others'], tmp_path / 'images', expression=EVIL), encoding='utf-8')
    browser.problems.clear()
    browser.resize(1280, 900)
    browser.open(path.as_uri())
    yield browser
    assert browser.problems == []


def wait_for(browser, script, value):
    while browser.evaluate(script) != value:
        time.sleep(0.02)


def test_a_click_sorts_each_group_and_another_turns_it_round(opened):
    def lengths():
        return opened.evaluate('Array.from(document.querySelectorAll("#slice-table tbody")[1].rows).slice(1)'
                               '.map(r => r.cells[0].innerText)')

    button = 'document.querySelectorAll("#slice-table thead button")[1]'
    opened.evaluate(f'{button}.click()')
    assert lengths() == ['8 to 10 words', '1 to 5 words']
    assert opened.evaluate(f'{button}.parentElement.getAttribute("aria-sort")') == 'ascending'
    opened.evaluate(f'{button}.click()')
    assert lengths() == ['1 to 5 words', '8 to 10 words']
    opened.evaluate('document.querySelectorAll("#slice-table thead button")[0].click()')
    assert lengths() == ['1 to 5 words', '8 to 10 words']
    assert opened.evaluate('document.querySelectorAll("[aria-sort]").length') == 1


def test_slices_are_filtered_by_their_words(opened):
    opened.evaluate('(e => { e.value = "SPATIAL"; e.dispatchEvent(new Event("input")); })'
                    '(document.querySelector("#filter-slices"))')
    shown = 'Array.from(document.querySelectorAll("#slice-table tbody tr:not([hidden])")).map(r => r.cells[0].innerText)'
    assert opened.evaluate(shown) == ['words in the expression', 'spatial words']


WORDS = 'Array.from(document.querySelectorAll("#found .words")).map(e => e.textContent)'


def test_a_slice_leads_to_its_cases_and_texts_of_files_stay_texts(opened):
    opened.evaluate('Array.from(document.querySelectorAll("#slice-table a")).find(a => a.innerText == "1 to 5 words").click()')
    wait_for(opened, f'{WORDS}.length', 3)
    assert opened.evaluate(WORDS) == ['left cup', 'a dog', EVIL]
    assert opened.evaluate('document.querySelector("#count").textContent') == '3 of 4 cases, page 1 of 1'
    assert opened.evaluate('document.querySelectorAll("#found script").length') == 0
    assert opened.evaluate('document.querySelector("#found .found").textContent') == 'some: IoU 1.00, score 0.50'
    assert opened.evaluate('document.querySelectorAll("#found svg image").length') == 3
    assert opened.evaluate('document.querySelector("#found .target").getAttribute("width")') == '10'


@pytest.mark.parametrize(('field', 'value', 'words'), [
    ('words', 'LAPTOP second', ['the second cup next to the red laptop']), ('words', 'b.png', ['a dog']),
    ('outcome0', 'miss', ['the second cup next to the red laptop']), ('outcome1', '1', [EVIL]),
    ('both', '1:1', ['the second cup next to the red laptop']), ('both', '1:2', ['left cup', EVIL]), ('both', '1:0', ['a dog']),
    ('both', '1:3', []), ('order', 'words', sorted(['left cup', 'the second cup next to the red laptop', 'a dog', EVIL])),
    ('order', 'worst', [EVIL, 'left cup', 'the second cup next to the red laptop', 'a dog'])])
def test_cases_are_searched_and_put_in_order(opened, field, value, words):
    opened.evaluate(f'(e => {{ e.value = "{value}"; e.dispatchEvent(new Event("input", {{bubbles: true}})); }})'
                    f'(document.querySelector("#browse [name={field}]"))')
    assert opened.evaluate(WORDS) == words


def test_tables_are_copied_as_latex_and_markdown(opened):
    opened.call('Browser.grantPermissions', permissions=['clipboardReadWrite', 'clipboardSanitizedWrite'])
    buttons = 'Array.from(document.querySelectorAll("button.copy"))'
    assert opened.evaluate(f'{buttons}.map(b => b.dataset.what)')[:2] == ['Scores as LaTeX', 'Scores as Markdown']
    opened.evaluate('document.querySelectorAll("details").forEach(d => d.open = true)')
    opened.evaluate(f'{buttons}[1].click()')
    wait_for(opened, 'document.querySelector("#said").textContent != ""', True)
    text = opened.evaluate('document.getElementById("text-2-0").value')
    assert text.splitlines()[0].startswith('| system | Acc@0.25 |') and opened.evaluate('getSelection().toString()') == text


def test_the_page_can_be_used_by_keyboard_and_read_aloud(opened):
    assert opened.evaluate('Array.from(document.querySelectorAll("input, select, textarea")).every(e => e.labels.length == 1)')
    assert opened.evaluate('document.querySelector("#count").getAttribute("aria-live")') == 'polite'
    assert opened.evaluate('Array.from(document.querySelectorAll("th")).every(e => e.scope)')
    assert opened.evaluate('Array.from(document.querySelectorAll(".mark")).every(e => e.getAttribute("aria-label"))')
    assert opened.evaluate('new Set(Array.from(document.querySelectorAll("[id]")).map(e => e.id)).size == '
                           'document.querySelectorAll("[id]").length')


def test_pages_of_cases_turn(tmp_path, browser):
    cases = make_cases(tmp_path)
    summary = summarise(cases, [predict(tmp_path, cases, 'p', SOME)], draws=20)
    page = draw_page(summary, [], Album(tmp_path / 'images'), 'x')
    path = tmp_path / 'report.html'
    digest = re.search("script-src '([^']+)'", page)[1]
    script = page.split('<script>')[1].split('</script>')[0]
    small = script.replace('SHOWN = 24', 'SHOWN = 3')
    other = base64.b64encode(hashlib.sha256(small.encode()).digest()).decode()
    page = page.replace(script, small).replace(digest, f'sha256-{other}')
    path.write_text(page, encoding='utf-8')
    browser.problems.clear()
    browser.open(path.as_uri() + '#cases')
    browser.evaluate('document.querySelector("#browse").dispatchEvent(new Event("input"))')
    assert browser.evaluate(f'{WORDS}.length') == 3
    browser.evaluate('document.querySelectorAll("[data-turn]")[1].click()')
    assert browser.evaluate(WORDS) == ['cat']
    assert browser.evaluate('document.querySelector("#count").textContent') == '4 of 4 cases, page 2 of 2'
    assert browser.evaluate('document.querySelectorAll("[data-turn]")[1].disabled') is True
    assert browser.problems == []
