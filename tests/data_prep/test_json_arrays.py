import json

import pytest

from data_prep.reading import json_arrays
from data_prep.reading.json_arrays import elements, read_elements

DOCUMENT = {
    "info": {"version": 1.5, "text": 'a "quoted" [bracket] }'},
    "images": [{"id": 1, "file_name": "é 漢.jpg"}, {"id": 2, "file_name": "b.jpg"}],
    "empty": [],
    "annotations": [{"id": n, "segmentation": [[n / 3] * (n % 50)]} for n in range(200)],
    "numbers": [1, 22, 333, -4.5e3],
    "last": 12345,
}


@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
@pytest.mark.parametrize("indent", [None, 2])
def test_every_element_is_found_and_read_again(tmp_path, monkeypatch, piece, indent):
    monkeypatch.setattr(json_arrays, "PIECE", piece)
    path = tmp_path / "a.json"
    path.write_text(json.dumps(DOCUMENT, indent=indent, ensure_ascii=False), encoding="utf-8")
    found = list(elements(path))
    values = read_elements(path, [(element.start, element.length) for element in found])
    again = [(element.key, value) for element, value in zip(found, values)]
    expected = [(key, value) for key, values in DOCUMENT.items() if isinstance(values, list) for value in values]
    assert again == expected
    assert [(element.key, element.value) for element in found] == expected


@pytest.mark.parametrize("piece", range(1, 10))
@pytest.mark.parametrize("space", ["", " "])
def test_a_number_may_be_cut_anywhere(tmp_path, monkeypatch, piece, space):
    monkeypatch.setattr(json_arrays, "PIECE", piece)
    numbers = ["0", "-0.5", "12.75", "-3e2", "4E+10", "5.25e-3", "1e0", "123456789012345678901234567890"]
    path = tmp_path / "a.json"
    path.write_text(f'{{"version": 1.5e1{space}, "numbers": [{f"{space},".join(numbers)}{space}], "last": 2.5}}')
    assert [element.value for element in elements(path)] == [json.loads(number) for number in numbers]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"a": [1, 2',
        '{"a": [1 2]}',
        '{"a" 1}',
        '{"a": [{"b": }]}',
        "{",
        '{"a": tru',
        '{"a": [1.]}',
        '{"a": [1e+]}',
        '{"a": [4e.5]}',
    ],
)
def test_damage_is_an_error_with_its_place(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="byte"):
        list(elements(path))
