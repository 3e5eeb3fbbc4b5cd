"""Which file is of which kind, by its ending. A module of its own, as worker processes need it without pandas."""

_ENDINGS = {
    "video": "mp4 mov mkv webm avi ts m4v",
    "music": "wav flac ogg opus mp3 m4a",
    "image": "jpg jpeg png webp gif tiff tif bmp",
    "text": "txt md srt vtt json",
}
KIND_OF = {"." + ending: kind for kind, endings in _ENDINGS.items() for ending in endings.split()}
