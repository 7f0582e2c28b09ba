import base64
import io
import re

import numpy as np
from PIL import Image

from mmduet.demo import html
from mmduet.visualization.palette import colour_of

HOSTILE = '<img src=x onerror="alert(1)">&'
ESCAPED = '&lt;img src=x onerror=&quot;alert(1)&quot;&gt;&amp;'


def picture(value):
    return Image.fromarray(np.full((4, 6, 3), value, dtype=np.uint8))


def test_what_users_write_is_text_wherever_it_stands():
    for made in (html.title(HOSTILE, 1, HOSTILE), html.error(HOSTILE), html.legend([(HOSTILE, 0.5)]),
                 html.unknown_words([HOSTILE]), html.maps([picture(0)], [picture(1)], [HOSTILE])):
        assert '<img src=x' not in made and ESCAPED in made


def test_the_title_names_the_student_and_a_notice_only_where_there_is_one():
    assert '12.3 million parameters' in html.title('TransVG', 12_345_678, '') and 'role="note"' not in html.title('x', 1, '')
    assert '<div class="duet-note" role="note">a toy</div>' in html.title('x', 1, 'a toy')


def test_the_legend_has_number_colour_and_score_of_every_box():
    made = html.legend([('the cup', 0.834), ('the plate', None)])
    items = re.findall('<li>.*?</li>', made)
    assert len(items) == 2 and '83% sure' in items[0] and 'sure' not in items[1]
    for number, item in enumerate(items):
        assert 'background:#{:02x}{:02x}{:02x}'.format(*colour_of(number)) in item and f'>{number + 1}</span>' in item


def test_maps_stand_beside_each_other_and_hold_their_pixels():
    made = html.maps([picture(10), picture(20)], [picture(200), picture(220)], ['a', 'b'])
    assert made.count('<section>') == 2 and made.count('Where the student looked</figcaption>') == 2
    found = [Image.open(io.BytesIO(base64.b64decode(data))) for data in re.findall('base64,([^"]+)"', made)]
    assert [image.size for image in found] == [(6, 4)] * 4
    assert [round(float(np.asarray(image).mean())) for image in found] == [10, 200, 20, 220]
    alone = html.maps([picture(10)], [], ['a'])
    assert 'similarity' not in alone and alone.count('<figure>') == 1
    assert html.maps([], [], ['a']) == '<p class="duet-help">This student does not say where it looks.</p>'
