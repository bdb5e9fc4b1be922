"""What a Python program does with Stowage. Arguments: URL, cookie, token, a folder to work in. Prints JSON."""
import json
import pathlib
import sys
import urllib.parse

import requests

url, cookie, token, folder = sys.argv[1:]
name, value = cookie.split("=", 1)
session = requests.Session()
session.cookies.set(name, value)
bearer = {"Authorization": f"Bearer {token}"}
found = {}

# Several files, one of them opened from the disk under a Japanese name, one of them empty.
path = pathlib.Path(folder) / "契約書.pdf"
with path.open("rb") as contract:
    files = [("files", contract), ("files", ("empty.txt", b"")), ("files", ("a \"quoted\" name.bin", b"x" * 3_000_000))]
    answer = session.post(f"{url}/api/v1/messages/1/attachments", files=files)
found["upload"] = [answer.status_code, answer.json()]

ids = answer.json()["attachmentIds"]
found["names"] = [session.get(f"{url}/api/v1/attachments/{id}").json()["fileName"] for id in ids]
with session.get(f"{url}/api/v1/attachments/{ids[0]}/契約書.pdf", stream=True) as download:
    received = b"".join(download.iter_content(65536))
    found["download"] = [download.status_code, download.headers["Content-Type"], received == path.read_bytes()]
found["empty"] = session.get(f"{url}/api/v1/attachments/{ids[1]}/empty.txt").content == b""
answer = session.delete(f"{url}/api/v1/attachments/{ids[0]}")
found["delete"] = [answer.status_code, answer.json()]

# Releases of old wrote a name that is not ASCII as filename* (RFC 2231).
disposition = f"form-data; name=\"file\"; filename*=utf-8''{urllib.parse.quote(path.name)}"
head = f"--old\r\nContent-Disposition: {disposition}\r\nContent-Type: application/pdf\r\n\r\n"
body = head.encode() + path.read_bytes() + b"\r\n--old--\r\n"
multipart = {**bearer, "Content-Type": "multipart/form-data; boundary=old"}
answer = requests.post(f"{url}/v1/attachments", data=body, headers=multipart)
found["extended"] = [answer.status_code, answer.json().get("filename")]

# The bearer API.
fields = {"conversation_id": "1"}
answer = requests.post(f"{url}/v1/attachments", headers=bearer, data=fields, files={"file": path.open("rb")})
created = answer.json()
found["create"] = [answer.status_code, created["filename"], answer.headers["Location"].endswith(created["id"])]
found["link"] = requests.get(created["file_url"]).content == path.read_bytes()
answer = requests.put(f"{url}/v1/attachments/{created['id']}", headers=bearer, data={"filename": "新しい名前.pdf"})
found["rename"] = [answer.status_code, answer.json()["filename"]]
found["renamed link"] = requests.get(answer.json()["file_url"]).content == path.read_bytes()
listed = requests.get(f"{url}/v1/attachments", headers=bearer, params={"conversation_id": 1, "limit": 10}).json()
found["listed"] = created["id"] in [attachment["id"] for attachment in listed["data"]]
found["gone"] = requests.delete(f"{url}/v1/attachments/{created['id']}", headers=bearer).status_code
found["again"] = requests.delete(f"{url}/v1/attachments/{created['id']}", headers=bearer).json()["type"]

print(json.dumps(found))
