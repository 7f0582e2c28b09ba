"""What a PNG holds beside its pixels."""
PNG = b'\x89PNG\r\n\x1a\n'
# Text and colour profiles, compressed or not: Pillow refuses a picture for a long one, and nothing here reads them.
_LEFT_OUT = (b'tEXt', b'zTXt', b'iTXt', b'iCCP')


def without_texts(content: bytes) -> bytes:
    """A PNG without texts and colour profiles, whose pixels are the same; what is no PNG, or broken, stays as it is."""
    if not content.startswith(PNG) or not any(kind in content for kind in _LEFT_OUT):
        return content
    kept, place = [PNG], len(PNG)
    while place + 12 <= len(content):
        end = place + 12 + int.from_bytes(content[place:place + 4], 'big')
        if content[place + 4:place + 8] not in _LEFT_OUT:
            kept.append(content[place:end])
        place = end
    return b''.join(kept) + content[place:]
