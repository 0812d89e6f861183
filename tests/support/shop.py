"""A shop whose tables SQLAlchemy makes: 12 tables with foreign keys, indexes, and named CHECKs for enums, and rows."""

from __future__ import annotations

#: A module of the application, as a project has it. Run, it makes ``app.db``.
SHOP = """\
import enum
import sys

from sqlalchemy import Boolean, DateTime, Enum, ForeignKey, Index, Numeric, String, Text, UniqueConstraint, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Currency(enum.Enum):
    EUR = "EUR"
    USD = "USD"


class OrderState(enum.Enum):
    OPEN = "OPEN"
    PAID = "PAID"
    SHIPPED = "SHIPPED"


class Role(enum.Enum):
    ADMIN = "ADMIN"
    CLERK = "CLERK"


def listed(kind, name):
    return Enum(kind, name=name, create_constraint=True)


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(200), unique=True)
    name: Mapped[str | None] = mapped_column(String(100))
    currency: Mapped[Currency] = mapped_column(listed(Currency, "customer_currency"))


class Address(Base):
    __tablename__ = "addresses"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"), index=True)
    city: Mapped[str] = mapped_column(Text)


class Product(Base):
    __tablename__ = "products"
    id: Mapped[int] = mapped_column(primary_key=True)
    sku: Mapped[str] = mapped_column(String(40), unique=True)
    price = mapped_column(Numeric(10, 2), nullable=False)
    active = mapped_column(Boolean(name="product_active", create_constraint=True), nullable=False, server_default="1")


class Category(Base):
    __tablename__ = "categories"
    id: Mapped[int] = mapped_column(primary_key=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("categories.id"))
    title: Mapped[str] = mapped_column(Text, unique=True)


class ProductCategory(Base):
    __tablename__ = "product_categories"
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"), primary_key=True)
    category_id: Mapped[int] = mapped_column(ForeignKey("categories.id"), primary_key=True)


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), index=True)
    state: Mapped[OrderState] = mapped_column(listed(OrderState, "order_state"))
    currency: Mapped[Currency] = mapped_column(listed(Currency, "order_currency"))
    made_at = mapped_column(DateTime, nullable=False)
    __table_args__ = (Index("ix_orders_open", "made_at", sqlite_where=(state == "OPEN")),)


class Line(Base):
    __tablename__ = "order lines"
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    quantity: Mapped[int]
    __table_args__ = (UniqueConstraint("order_id", "product_id", name="one_line_per_product"),)


class Payment(Base):
    __tablename__ = "payments"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    currency: Mapped[Currency | None] = mapped_column(listed(Currency, "payment_currency"))
    reference: Mapped[str] = mapped_column(String(50))
    method: Mapped[str] = mapped_column(String(20))
    __table_args__ = (UniqueConstraint("method", "reference"), UniqueConstraint("reference", "order_id"))


class Refund(Base):
    __tablename__ = "refunds"
    id: Mapped[int] = mapped_column(primary_key=True)
    payment_id: Mapped[int] = mapped_column(ForeignKey("payments.id"), unique=True)
    reason: Mapped[str | None] = mapped_column(Text)


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    login: Mapped[str] = mapped_column(String(50), unique=True, index=True)
    role: Mapped[Role] = mapped_column(listed(Role, "user_role"))


class Setting(Base):
    __tablename__ = "settings"
    key: Mapped[str] = mapped_column(String(50), primary_key=True)
    value: Mapped[str] = mapped_column(Text)


class AuditEntry(Base):
    __tablename__ = "audit_log"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    what: Mapped[str] = mapped_column(Text)
    __table_args__ = {"sqlite_autoincrement": True}


if __name__ == "__main__":
    from datetime import datetime

    engine = create_engine(f"sqlite:///{sys.argv[1]}")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all([Customer(id=n, email=f"{n}@x", currency=Currency.EUR) for n in range(1, 51)])
        session.add(Product(id=1, sku="a", price=3))
        session.flush()
        session.add_all(
            [
                Order(id=n, customer_id=n, state=OrderState.OPEN, currency=Currency.USD, made_at=datetime(2026, 1, 1))
                for n in range(1, 51)
            ]
        )
        session.flush()
        session.add(Payment(id=1, order_id=1, currency=None, reference="r", method="card"))
        session.add(User(id=1, login="ann", role=Role.ADMIN))
        session.flush()
        session.add(AuditEntry(user_id=1, what="paid"))
        session.commit()
"""
