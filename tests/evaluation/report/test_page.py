"""The page in a real browser, on a phone and on a desktop, in light and in dark."""
import re

import pytest

from mmduet.evaluation.report.figures import COLOURS
from mmduet.evaluation.report.gallery import Album, choose_groups
from mmduet.evaluation.report.outcomes import OUTCOMES
from mmduet.evaluation.report.page import draw_page
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


def test_nothing_is_fetched_and_nothing_runs(tmp_path):
    page = make_page(tmp_path, ['one'], tmp_path / 'images')
    assert '<script' not in page
    assert not [word for word in ('http:', 'https:', 'src=', 'url(') if word in page]
    assert "default-src 'none'" in page


def test_the_worth_of_scores_is_shown(tmp_path):
    page = make_page(tmp_path, ['one'], tmp_path / 'images')
    assert re.search(r'AUROC of hits against misses by the score, %</th>\s*<td>50\.0</td>', page)


def test_what_comes_from_files_is_escaped(tmp_path):
    page = make_page(tmp_path, [EVIL, 'b'], None, expression=EVIL, image=EVIL, category=EVIL, kind=EVIL)
    assert '<script' not in page
    assert 'alert("x")' not in page


def test_every_case_has_its_boxes_words_and_what_was_found(tmp_path):
    page = make_page(tmp_path, ['some', 'others'], tmp_path / 'images')
    card = next(part for part in page.split('<figure class="card">') if 'the second cup next to the red laptop' in part)
    assert 'some: IoU 0.00, on another object of its category</p>' in card and 'others: IoU 1.00</p>' in card
    assert card.count('class="box') == 3
    assert '<rect class="box target" x="20.00" y="0.00" width="10.00" height="10.00"/>' in card
    assert 'class="blank"' not in card and '<image class="blocks" href="data:image/jpeg' in card
    assert '<p class="id">val 2<span' in card
    assert 'class="blank"' in make_page(tmp_path, ['some'], None)


def test_a_slice_has_its_figure_its_bar_and_the_difference(tmp_path):
    page = make_page(tmp_path, ['some', 'others'], None)
    row = page.split('<th scope="row">spatial words</th>')[1].split('</tr>')[0]
    assert '<td>1</td>' in row and '<td>100.0<small>no interval</small>' in row
    assert '<line class="tick s1" x1="0.0" x2="0.0" y1="1.5" y2="10.5"/>' in row
    assert row.split('<td class="wide ')[1].startswith('">−100.0')


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
