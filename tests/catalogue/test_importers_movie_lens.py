"""MovieLens folders in the layouts of its releases, and what is said of bad ones."""

import logging

import pytest

from mmgraph.catalogue.importers.movie_lens import MovieLens
from mmgraph.errors import CatalogueError

GENRES = ("unknown", "Action", "Crime")
U_ITEM = "1|Heat (1995)|01-Jan-1995||http://one|0|1|1\n2|Misérables, Les (1995)|||http://two|0|0|0\n3|unknown||||1|0|0\n"


def folder(root, **files):
    for name, text in files.items():
        path = root / name.replace("_", ".")
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return root


def hundred(root, **more):
    genres = "".join(f"{name}|{i}\n" for i, name in enumerate(GENRES)) + "\n"
    files = {
        "u_data": "1\t1\t5\t881250949\n2\t1\t3\t881250950\n1\t3\t1\t881250951\n",
        "u_item": U_ITEM.encode("latin-1"),
        "u_genre": genres,
        "u_user": "1|24|M|technician|85711\n2|53|F|other|94043\n3|7|M|student|\n",
    }
    return folder(root, **(files | more))


def million(root, **more):
    files = {
        "ratings_dat": "1::1::5::978300760\n2::1::3.5::978302109\n1::1::2::978300761\n",
        "movies_dat": "1::Heat (1995)::Action|Crime\n2::Misérables, Les (1995)::Drama\n".encode("latin-1"),
        "users_dat": "1::F::1::10::48067\n2::M::56::16::70072\n",
    }
    return folder(root, **(files | more))


def quarter(root, **more):
    files = {
        "ratings_csv": "userId,movieId,rating,timestamp\n1,1,5.0,1147880044\n7,2,0.5,1147868817\n",
        "movies_csv": 'movieId,title,genres\n1,Heat (1995),Action|Crime\n2,"Misérables, Les (1995)",(no genres listed)\n',
        "tags_csv": 'userId,movieId,tag,timestamp\n3,2,classic,30\n4,2,classic,10\n3,1,"so, slow",20\n3,1,classic,5\n',
        "links_csv": "movieId,imdbId,tmdbId\n1,1,1\n",
    }
    return folder(root, **(files | more))


def links(catalogue):
    return [tuple(row) for row in catalogue.links[["source", "relation", "target", "weight", "time"]].itertuples(index=False)]


def labels(catalogue):
    return {tuple(row) for row in catalogue.labels[["id", "field", "value"]].itertuples(index=False)}


def texts(catalogue):
    return dict(zip(catalogue.items["id"], catalogue.items["text"], strict=True))


def test_the_100k_layout(tmp_path):
    catalogue = MovieLens(root=hundred(tmp_path)).read()
    assert links(catalogue) == [
        ("user/1", "rated", "movie/1", 5.0, 881250949.0),
        ("user/2", "rated", "movie/1", 3.0, 881250950.0),
        ("user/1", "rated", "movie/3", 1.0, 881250951.0),
    ]
    assert catalogue.kinds() == {"movie": 3, "user": 3}  # user 3 rated nothing
    assert texts(catalogue)["movie/2"] == "Misérables, Les (1995)"
    assert labels(catalogue) == {
        ("movie/1", "genre", "Action"), ("movie/1", "genre", "Crime"), ("movie/3", "genre", "unknown"),
        ("user/1", "age", "24"), ("user/1", "gender", "M"), ("user/1", "occupation", "technician"),
        ("user/2", "age", "53"), ("user/2", "gender", "F"), ("user/2", "occupation", "other"),
        ("user/3", "age", "7"), ("user/3", "gender", "M"), ("user/3", "occupation", "student"),
    }  # fmt: skip
    assert sorted(catalogue.sources) == ["u.data", "u.genre", "u.item", "u.user"]


def test_a_fold_of_100k_is_a_given_split(tmp_path):
    root = hundred(tmp_path, u1_base="1\t1\t5\t1\n2\t1\t3\t2\n", u1_test="1\t3\t1\t3\n")
    assert MovieLens(root=root, fold="1").read().links["split"].tolist() == ["train", "train", "test"]
    assert MovieLens(root=root).read().links["split"].tolist() == [None] * 3


def test_the_1m_layout_and_a_movie_rated_twice(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        catalogue = MovieLens(root=million(tmp_path)).read()
    assert links(catalogue) == [
        ("user/2", "rated", "movie/1", 3.5, 978302109.0),
        ("user/1", "rated", "movie/1", 2.0, 978300761.0),  # the newer of the two
    ]
    assert "1 rows repeat a link and were merged" in caplog.text
    assert texts(catalogue)["movie/2"] == "Misérables, Les (1995)"
    assert {one for one in labels(catalogue) if one[1] == "genre"} == {
        ("movie/1", "genre", "Action"), ("movie/1", "genre", "Crime"), ("movie/2", "genre", "Drama")
    }  # fmt: skip
    assert ("user/2", "occupation", "16") in labels(catalogue)


def test_the_10m_layout_is_that_of_1m_in_utf8_with_tags(tmp_path):
    root = million(tmp_path, movies_dat="1::Amélie::Comedy\n", tags_dat="2::1::fée::3\n2::1::fée::9\n")
    (root / "users.dat").unlink()
    catalogue = MovieLens(root=root).read()
    assert texts(catalogue) == {"movie/1": "Amélie", "user/1": None, "user/2": None, "tag/fée": "fée"}
    assert ("movie/1", "tagged", "tag/fée", 1.0, 3.0) in links(catalogue)


def test_the_25m_layout(tmp_path):
    catalogue = MovieLens(root=quarter(tmp_path)).read()
    assert links(catalogue)[:2] == [
        ("user/1", "rated", "movie/1", 5.0, 1147880044.0),
        ("user/7", "rated", "movie/2", 0.5, 1147868817.0),
    ]
    assert set(links(catalogue)[2:]) == {
        ("movie/1", "tagged", "tag/classic", 1.0, 5.0),
        ("movie/2", "tagged", "tag/classic", 2.0, 10.0),  # two users, the first of them at 10
        ("movie/1", "tagged", "tag/so, slow", 1.0, 20.0),
    }
    assert catalogue.kinds() == {"movie": 2, "user": 2, "tag": 2}
    assert labels(catalogue) == {("movie/1", "genre", "Action"), ("movie/1", "genre", "Crime")}
    assert texts(catalogue)["tag/so, slow"] == "so, slow"


@pytest.mark.parametrize(
    ("made", "files", "message"),
    [
        (hundred, {"u_data": "1\t1\t5\n"}, r"u.data, line 1: 3 fields; given: .*; write user<tab>movie<tab>rating<tab>time"),
        (hundred, {"u_data": "1\t1\tfive\t3\n"}, r"u.data, line 1, column 'weight': not a number; given: 'five'"),
        (
            hundred,
            {"u_data": "1\t1\t5\t3\n1\t9\t5\t3\n"},
            r"u.data, line 2, column 'target': no item has this id; given: 'movie/9'",
        ),
        (hundred, {"u_data": "1\t1\t5\t3\n1\t2\t\t3\n"}, r"u.data, line 2: there is no rating"),
        (
            hundred,
            {"u_item": "1|Heat||||0|1|1\n2|Up||||0|yes|0\n"},
            r"u.item, line 2, column 'Action': neither 0 nor 1; given: 'yes'",
        ),
        (hundred, {"u_item": "1|Heat||||0|1\n"}, r"u.item, line 1: 7 fields"),
        (
            hundred,
            {"u_user": "1|24|M|none|1\n1|24|M|none|1\n"},
            r"u.user, line 2, column 'id': it is also the id of u.user, line 1",
        ),
        (hundred, {"u_data": ""}, r"u.data holds no data"),
        (million, {"ratings_dat": "1::1::5::1\n\n2::1::3\n"}, r"ratings.dat, line 3: 3 fields where line 1 has 4"),
        (million, {"movies_dat": ""}, r"movies.dat holds no movies"),
        (million, {"u_data": "1\t1\t1\t1"}, r"there are ratings of several layouts"),
        (quarter, {"ratings_csv": "userId,movieId,rating\n1,1,1\n"}, r"ratings.csv lacks column 'timestamp'"),
        (
            quarter,
            {"ratings_csv": "userId,movieId,rating,timestamp\n1,1,1,1\n1,2,1,x\n"},
            r"ratings.csv, line 3, column 'time': not a",
        ),
        (quarter, {"ratings_csv": "userId,movieId,rating,timestamp\n1,1,,1\n"}, r"ratings.csv, line 2: there is no rating"),
        (
            quarter,
            {"tags_csv": "userId,movieId,tag,timestamp\n1,1,a,2\n1,1,a,x\n"},
            r"tags.csv, line 3, column 'time': not a number",
        ),
    ],
)
def test_what_is_said_of_a_bad_file(tmp_path, made, files, message):
    with pytest.raises(CatalogueError, match=message):
        MovieLens(root=made(tmp_path, **files)).read()


def test_what_is_said_of_a_folder_that_is_none(tmp_path):
    with pytest.raises(CatalogueError, match=r"there is no file of ratings \(u.data, ratings.dat, ratings.csv\); given: .*"):
        MovieLens(root=tmp_path).read()
    with pytest.raises(CatalogueError, match=r"fold is of the 100K release alone; given: a"):
        MovieLens(root=million(tmp_path), fold="a").read()
    (tmp_path / "movies.dat").unlink()
    with pytest.raises(CatalogueError, match=r"movies.dat cannot be read; given: .*; give the whole folder of the release"):
        MovieLens(root=tmp_path).read()
