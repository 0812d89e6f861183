"""A schema with everything that ``models`` has to write, and its enums."""

from __future__ import annotations

KINDS = """\
from enum import Enum, IntEnum, StrEnum
from typing import Literal


class Status(StrEnum):
    OPEN = "open"
    DONE = "done"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Currency(Enum):
    EURO = "EUR"
    DOLLAR = "USD"


Origin = Literal["web", "app"]
STATUSES = [status.value for status in Status]
SIZES = ("s", "m", "l")
"""

SCHEMA = r"""
version: 1
enums: kinds
tables:
  people:
    comment: Who works on "tasks" \ and may log in, or did so at some time in the past, whatever the reason was
    columns:
      id: {type: integer, primary_key: true, autoincrement: true}
      name: {type: text, nullable: false, collate: nocase, unique: true}
      email: {type: VARCHAR(100), unique: {name: email_once, on_conflict: ignore}}
      boss_id: {type: integer, references: {table: people, column: id, on_delete: set null}}
      main_task: {type: uuid, references: {table: tasks, column: id, on_delete: set null, deferrable: initially deferred}}
      is_active: {type: boolean, nullable: false, default: true}
    indexes:
      people_by_name: {columns: [{expression: lower(name)}, {column: email, order: desc, collate: NOCASE}]}
  tasks:
    columns:
      id: {type: uuid, nullable: false, primary_key: true}
      title: {type: text, nullable: false, check: "title NOT GLOB '*:x' AND title <> '\\:y'"}
      status: {type: text, nullable: false, default: open, enum: STATUSES}
      old_status: {type: text, enum: Status, comment: "Before that; NULL: none"}
      level: {type: integer, nullable: false, default: 1, enum: Level}
      currency: {type: text, enum: {name: Currency, constraint: known_currency}}
      booked_in: {type: VARCHAR(6), enum: {name: Currency, stores: names}}
      paid_in: {type: VARCHAR(3), nullable: false, enum: Currency}
      origin: {type: text, nullable: false, enum: Origin}
      size: {type: text, default: m, enum: SIZES}
      priority: {type: integer, nullable: false, enum: [1, 2, 3]}
      author_id: {type: integer, nullable: false, references: {table: people, column: id, on_delete: cascade}}
      reviewer_id: {type: integer, references: {table: people, column: id, on_update: cascade, name: reviewer}}
      tags: {type: json, nullable: false, default: '[]'}
      options: {type: json, nullable: false, default: '{}'}
      extra: json
      made_at: {type: timestamp, nullable: false, default_sql: (unixepoch())}
      due_at: timestamp
      words: {type: integer, generated: {expression: length(title), stored: true}}
      metadata: text
      class: {type: text, default: none, check: class <> 'some very long name' AND class <> 'another very long name' AND class <> 'a third one that is longer'}
      "odd name": real
      lines: {type: text, default: "one\ntwo", check: "lines <> 'two\nlines'"}
      __hidden: {type: INT UNSIGNED}
      str: {type: text, nullable: false, default: "it's \"quoted\""}
      anything:
    checks:
      due_later: due_at IS NULL OR due_at > made_at
    indexes:
      tasks_open: {columns: [author_id, due_at], unique: true, where: status = 'open'}
  task_notes:
    columns:
      task_id: {type: uuid, nullable: false, references: {table: tasks, column: id, on_delete: cascade}}
      number: {type: integer, nullable: false}
      body: {type: blob, nullable: false, on_conflict: fail}
    primary_key: {columns: [number, task_id], name: note_key}
    without_rowid: true
    strict: true
  note_links:
    class: Link
    columns:
      note_number: {type: integer, nullable: false}
      task_id: {type: uuid, nullable: false, references: {table: tasks, column: id}}
      target: {type: 'DECIMAL(10, 2)', nullable: false, default: 1}
      made: {type: DATETIME, nullable: false, default_sql: CURRENT_TIMESTAMP}
    foreign_keys:
      - {columns: [note_number, task_id], references: {table: task_notes, columns: [number, task_id]}, on_delete: cascade}
    primary_key: [note_number, task_id, target]
    unique: [{columns: [note_number, target], on_conflict: replace}]
  profiles:
    columns:
      person_id: {type: integer, nullable: false, primary_key: true, references: {table: people, column: id, on_delete: cascade}}
      picture: blob
  statuses: {columns: {at: {type: timestamp, nullable: false}, what: text}}
"""

#: What SQLAlchemy can't create.
MORE = r"""
  elsewhere:
    columns:
      id: {type: integer, primary_key: {order: desc}, not_null_name: given, nullable: false}
      number: {type: integer, collate: nocase, references: {table: gone, external: true}}
      person: {references: people}
    unique: [[{column: number, order: desc}]]
views:
  open tasks: SELECT title FROM tasks WHERE status = 'open'
triggers:
  tasks_done: |
    CREATE TRIGGER tasks_done AFTER UPDATE ON tasks BEGIN
      UPDATE tasks SET old_status = old.status WHERE id = new.id;
    END
virtual_tables:
  search: CREATE VIRTUAL TABLE search USING fts5(title)
"""
